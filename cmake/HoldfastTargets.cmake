# How every target of the project is compiled, and the two ways to declare one.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

add_library(holdfast_options INTERFACE)
target_compile_options(holdfast_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -Wimplicit-fallthrough -Wconversion -Wno-sign-conversion -fno-omit-frame-pointer
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # Flow analysis of g++ 12 at -O2 reports what cannot happen, in std::variant and std::vector
  # (GCC bugs 105562, 105651, 107852).
  target_compile_options(holdfast_options INTERFACE
    -Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict)
endif()
target_include_directories(holdfast_options INTERFACE ${PROJECT_SOURCE_DIR})
if(HOLDFAST_SANITIZE)
  target_compile_options(holdfast_options INTERFACE -fsanitize=${HOLDFAST_SANITIZE}
    $<$<BOOL:$<TARGET_PROPERTY:HOLDFAST_WORKS_WITHOUT_DESCRIPTORS>>:-fno-sanitize=vptr>
    -fno-sanitize-recover=all)
  target_link_options(holdfast_options INTERFACE -fsanitize=${HOLDFAST_SANITIZE})
endif()
if(HOLDFAST_COVERAGE)
  # Of the source rather than of what it was compiled to: clang's. Each process adds what it ran to
  # its program's file when it ends. Tests are compiled alike, or the linker would take their copies
  # of what headers define, which count nothing.
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    message(FATAL_ERROR "HOLDFAST_COVERAGE: counts by clang; use the preset coverage")
  endif()
  target_compile_options(holdfast_options INTERFACE
    -fprofile-instr-generate=${PROJECT_BINARY_DIR}/profiles/%m.profraw -fcoverage-mapping
    -fprofile-update=atomic -fprofile-list=${PROJECT_SOURCE_DIR}/tests/coverage/counted.txt)
  target_link_options(holdfast_options INTERFACE -fprofile-instr-generate)
endif()

# holdfast_works_without_descriptors(TARGET): it is used where no descriptor is left. UBSan opens a
# pipe to see whether an object is there, and without one says that none is.
function(holdfast_works_without_descriptors target)
  set_target_properties(${target} PROPERTIES HOLDFAST_WORKS_WITHOUT_DESCRIPTORS ON)
endfunction()

# Runs every code generator and compiles nothing: what a linter needs before it can parse the source.
add_custom_target(holdfast_generated)

# holdfast_library(NAME DEPENDS lib...): the static library of this folder, from all its .cpp files.
# The tests find it in a global list.
function(holdfast_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/[a-z_]*main\\.cpp$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC ${ARG_DEPENDS} PRIVATE holdfast_options)
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ARG_DEPENDS})
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR})
  endif()
  set_property(GLOBAL APPEND PROPERTY HOLDFAST_LIBRARIES ${name})
endfunction()

# holdfast_proto(NAME file.proto...): generated C++ as a library of its own, so that our warnings
# do not apply to generated code. Included as "common/format/x.pb.h", like every other header.
function(holdfast_proto name)
  set(generated)
  foreach(proto ${ARGN})
    get_filename_component(stem ${proto} NAME_WE)
    file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
    set(out ${PROJECT_BINARY_DIR}/generated/${folder}/${stem}.pb)
    add_custom_command(
      OUTPUT ${out}.cc ${out}.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/generated
      COMMAND protobuf::protoc --cpp_out=${PROJECT_BINARY_DIR}/generated
              -I ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${proto})
    list(APPEND generated ${out}.cc ${out}.h)
  endforeach()
  add_custom_target(${name}_sources DEPENDS ${generated})
  add_dependencies(holdfast_generated ${name}_sources)
  add_library(${name} STATIC ${generated})
  target_include_directories(${name} SYSTEM PUBLIC ${PROJECT_BINARY_DIR}/generated)
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf-lite)
  if(HOLDFAST_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=${HOLDFAST_SANITIZE})
  endif()
endfunction()
