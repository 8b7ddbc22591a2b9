# The two interface targets that every target of ours links, and the two functions that make them.

add_library(gm_options INTERFACE)
target_compile_definitions(gm_options INTERFACE _POSIX_C_SOURCE=200809L _XOPEN_SOURCE=700)
target_include_directories(gm_options INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
target_compile_options(gm_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
  -Wformat=2 -Wvla $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> $<$<BOOL:${GM_WERROR}>:-Werror>
  -fno-math-errno -fno-trapping-math -ffp-contract=fast)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(GM_X86 ON)
  # The baseline of the project; wider vectors are chosen at run time.
  target_compile_options(gm_options INTERFACE
    $<IF:$<BOOL:$<TARGET_PROPERTY:GM_V4>>,-march=x86-64-v4,-march=x86-64-v3>)
endif()
if(GM_SANITIZE)
  target_compile_options(gm_options INTERFACE -O1 -fno-omit-frame-pointer
    -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  target_link_options(gm_options INTERFACE -fsanitize=address,undefined)
endif()
if(GM_TSAN)
  target_compile_options(gm_options INTERFACE -O1 -fno-omit-frame-pointer -fsanitize=thread)
  target_link_options(gm_options INTERFACE -fsanitize=thread)
endif()
if(GM_COVERAGE)
  # Counters of several threads may lose counts, which tells no less of what ran and is many times faster.
  target_compile_options(gm_options INTERFACE -Og --coverage -fprofile-update=single)
  target_link_options(gm_options INTERFACE --coverage)
endif()
if(GM_FUZZ)
  target_compile_options(gm_options INTERFACE -O1 -fno-omit-frame-pointer
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
  target_link_options(gm_options INTERFACE -fsanitize=address,undefined)
endif()

# gm_library(FOLDER SOURCES a.c b.c LINK targets...): the static library gm_FOLDER.
function(gm_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE" ${ARGN})
  add_library(gm_${folder} STATIC ${ARG_SOURCES})
  target_link_libraries(gm_${folder} PUBLIC gm_options ${ARG_LINK} PRIVATE ${ARG_PRIVATE})
endfunction()
