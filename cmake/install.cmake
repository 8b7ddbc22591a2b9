# What `cmake --install` (make install) puts where, by the FHS, and the Debian package of it:
#   bin/gmner                       the program
#   lib/libgmner.so, .a, include/   the library, with files for pkg-config and CMake
#   lib/gmner/                      libraries of ours alone: oneDNN, OpenVINO
#   share/gmner/                    recipes, prompts, models, and the script that gets more models
#   share/doc/gmner/                README.md, docs/, the models' cards, examples
#   share/man, share/…completions   made by the program itself (gmner help --install)
# All is found relative to the program, so that the tree runs wherever it is put or moved.
include(GNUInstallDirs)
set(GM_PRIVATE lib/gmner)
set(GM_DATA share/gmner)

install(TARGETS gmner RUNTIME DESTINATION bin)
set_target_properties(gmner PROPERTIES INSTALL_RPATH "\$ORIGIN/../${GM_PRIVATE}")

install(TARGETS gmner_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
set_target_properties(gmner_shared PROPERTIES INSTALL_RPATH "\$ORIGIN/gmner:\$ORIGIN/../gmner")
install(FILES ${CMAKE_BINARY_DIR}/libgmner.a DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/gmner/gmner.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gmner)
include(CMakePackageConfigHelpers)
file(RELATIVE_PATH UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" UP ${UP})
configure_file(cmake/gmner.pc.in gmner.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/gmner.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_package_config_file(cmake/gmnerConfig.cmake.in gmnerConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/gmner PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(gmnerConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/gmnerConfig.cmake ${CMAKE_BINARY_DIR}/gmnerConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/gmner)

# Libraries that no Debian package has: the set-up's, where the build uses them.
set(deps ${CMAKE_SOURCE_DIR}/.deps)
if(EXISTS ${deps}/onednn/lib)
  install(DIRECTORY ${deps}/onednn/lib/ DESTINATION ${GM_PRIVATE} USE_SOURCE_PERMISSIONS FILES_MATCHING PATTERN "libdnnl.so*"
    PATTERN cmake EXCLUDE PATTERN pkgconfig EXCLUDE)
  install(DIRECTORY ${deps}/openvino/lib/ DESTINATION ${GM_PRIVATE} USE_SOURCE_PERMISSIONS)
  install(FILES ${deps}/openvino/doc/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME LICENSE.openvino)
endif()

install(DIRECTORY recipes prompts DESTINATION ${GM_DATA})
install(DIRECTORY models DESTINATION ${GM_DATA})
# What tools/get_models.sh works with; the Python package has it, too.
set(GM_GET_MODELS packages.py packages.lock tfjs_to_onnx.py onnx_writer.py)
list(TRANSFORM GM_GET_MODELS PREPEND ${CMAKE_SOURCE_DIR}/tools/)
install(FILES ${GM_GET_MODELS} DESTINATION ${GM_DATA}/tools)
install(PROGRAMS tools/get_models.sh DESTINATION ${GM_DATA}/tools)
# The pages, laid out as they are here with all that they link to, so that no link leads to nothing.
install(FILES README.md LICENSE CHANGELOG.md CONTRIBUTING.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES include/gmner/gmner.h DESTINATION ${CMAKE_INSTALL_DOCDIR}/include/gmner)
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY models DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "README.md" PATTERN "settings.yaml")

# The packaged models that the recipes need; optional ones are the user's to get.
set(fetched ${deps}/models)
if(DEFINED ENV{GMNER_MODELS})
  set(fetched $ENV{GMNER_MODELS})
endif()
file(GLOB manifests CONFIGURE_DEPENDS models/*.json)
foreach(manifest ${manifests})
  file(READ ${manifest} text)
  string(JSON origin ERROR_VARIABLE none GET ${text} origin)
  string(JSON optional ERROR_VARIABLE needed GET ${text} optional)
  get_filename_component(name ${manifest} NAME_WE)
  if(none STREQUAL NOTFOUND AND NOT needed STREQUAL NOTFOUND)
    install(DIRECTORY ${fetched}/${name} DESTINATION ${GM_DATA}/models)
    list(APPEND GM_NEEDED_MODELS ${fetched}/${name})
  endif()
endforeach()

set(manual ${CMAKE_BINARY_DIR}/manual)
add_custom_command(OUTPUT ${manual}/stamp DEPENDS gmner
  COMMAND gmner help --install ${manual} COMMAND ${CMAKE_COMMAND} -E touch ${manual}/stamp)
add_custom_target(manual ALL DEPENDS ${manual}/stamp)
install(DIRECTORY ${manual}/share/ DESTINATION share)

# The Debian package: cpack --config build/CPackConfig.cmake, or make deb.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME gmner)
set(CPACK_PACKAGE_CONTACT "the authors of gmner")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "named entities of posts, and where their image shows them")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${deps}/onednn/lib ${deps}/openvino/lib)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "fonts-dejavu-core")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libheif1, fonts-droid-fallback")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "python3-pip, npm")
include(CPack)
