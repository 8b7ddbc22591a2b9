gm_test(library LINK gm_api LABELS threads)
# Hosts know the public header alone; with a sanitizer's library they need its runtime.
set(sanitizer $<$<OR:$<BOOL:${GM_SANITIZE}>,$<BOOL:${GM_TSAN}>,$<BOOL:${GM_COVERAGE}>>:gm_options>)
add_executable(embed e2e/embed.c)
target_link_libraries(embed PRIVATE gmner_shared ${sanitizer})
gm_e2e(embed LABELS threads)
set_property(TEST e2e/embed APPEND PROPERTY ENVIRONMENT "GM_EMBED=$<TARGET_FILE:embed>")

# The example of the documentation, with the public header alone: against the shared library, and against the
# archive, beside which only libraries of others are named.
add_executable(example ${CMAKE_SOURCE_DIR}/examples/embed.c)
target_compile_options(example PRIVATE -Wall -Wextra -Wpedantic -Werror)
target_link_libraries(example PRIVATE gmner_shared ${sanitizer})
add_executable(example_static ${CMAKE_SOURCE_DIR}/examples/embed.c)
target_include_directories(example_static PRIVATE ${CMAKE_SOURCE_DIR}/include)
add_dependencies(example_static gmner_archive)
target_link_libraries(example_static PRIVATE ${sanitizer}
  ${CMAKE_BINARY_DIR}/libgmner.a DNNL::dnnl OpenMP::OpenMP_C jansson yaml expat utf8proc jpeg spng webp webpdemux
  exif tiff gif freetype harfbuzz fribidi z nettle curl sqlite3 stdc++ m ${CMAKE_DL_LIBS})
gm_e2e(library LABELS needs-model threads)
set_property(TEST e2e/library APPEND PROPERTY ENVIRONMENT "GM_EMBED=$<TARGET_FILE:embed>"
  "GM_LIBRARY=$<TARGET_FILE:gmner_shared>" "GM_EXAMPLES=$<TARGET_FILE:example>:$<TARGET_FILE:example_static>")
