# How a folder of ours says what it builds. Every folder with sources has one CMakeLists.txt that calls these:
#
#   assent_library(assent_wire
#     SOURCES convert.cc frame.cc        # none: a header-only (INTERFACE) library
#     DEPENDS assent_message             # seen by our headers, handed on to who links us
#     PRIVATE_DEPENDS assent_proto       # seen by our .cc files only
#     ASIO                               # our sources use Asio: links assent_asio, shares its precompiled header
#     INSTALL)                           # part of the installed client library: headers and archive
#
#   assent_executable(assentd
#     SOURCES main.cc DEPENDS assent_coordinator_server
#     ASIO                               # as above
#     INSTALL)                           # into bin/
#
#   assent_test(log_test
#     SOURCES record_test.cc leveldb_log_test.cc   # main() comes from tests/support/catch_main.cc
#     DEPENDS assent_log
#     ASIO                               # as above
#     LABELS log                         # ctest -L log
#     TIMEOUT 60                         # seconds until ctest kills it, 5 times that under sanitizers; 120 unless told
#     SERIAL                             # run alone: it measures, or takes the whole machine
#     NEEDS assentd assent-agentd)       # targets built before it, because the test starts them
#
# assent_test makes an executable and one ctest entry of the same name, which counts as skipped when one of its cases
# was and none has failed. In it ASSENT_SOURCE_DIR and ASSENT_BINARY_DIR
# are strings: the repository and the build folder (executables lie where their CMakeLists.txt does, such as
# ASSENT_BINARY_DIR "/coordinator/server/assentd").
#
#   assent_proto_library(assent_proto SOURCES common.proto client.proto INSTALL)
#
# generates protocol/proto/common.pb.{h,cc}; include "protocol/proto/common.pb.h".
#
# Includes are relative to the repository root. A source must exist before a CMakeLists.txt names it. Third-party
# targets to depend on: Boost::headers Boost::json fmt::fmt spdlog::spdlog leveldb::leveldb ODBC::ODBC toml11::toml11
# CLI11::CLI11 OpenSSL::Crypto Threads::Threads benchmark::benchmark.

# How a program of tests ends when a case can't be run here and no other has failed (tests/support/skip.h).
set(ASSENT_SKIPPED 77)

function(assent_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ASIO;INSTALL" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS")
  _assent_refuse_unknown(${name} "${arg_UNPARSED_ARGUMENTS}")
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    set(visibility PUBLIC)
    target_link_libraries(${name} PUBLIC ${arg_DEPENDS} PRIVATE ${arg_PRIVATE_DEPENDS})
    if(arg_ASIO)
      target_link_libraries(${name} PUBLIC assent_asio)
      target_precompile_headers(${name} REUSE_FROM assent_asio)
    endif()
  else()
    add_library(${name} INTERFACE)
    set(visibility INTERFACE)
    target_link_libraries(${name} INTERFACE ${arg_DEPENDS} ${arg_PRIVATE_DEPENDS})
    if(arg_ASIO)
      target_link_libraries(${name} INTERFACE assent_asio)
    endif()
  endif()
  target_include_directories(${name} ${visibility}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/assent>)
  if(arg_INSTALL)
    _assent_install_library(${name})
  endif()
endfunction()

function(assent_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ASIO;INSTALL" "" "SOURCES;DEPENDS")
  _assent_refuse_unknown(${name} "${arg_UNPARSED_ARGUMENTS}")
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS})
  if(arg_ASIO)
    target_link_libraries(${name} PRIVATE assent_asio)
    target_precompile_headers(${name} REUSE_FROM assent_asio)
  endif()
  if(arg_INSTALL)
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()

function(assent_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ASIO;SERIAL" "TIMEOUT" "SOURCES;DEPENDS;LABELS;NEEDS")
  _assent_refuse_unknown(${name} "${arg_UNPARSED_ARGUMENTS}")
  set(asio "")
  if(arg_ASIO)
    set(asio ASIO)
  endif()
  assent_executable(${name} SOURCES ${arg_SOURCES} DEPENDS ${arg_DEPENDS} assent_catch_main ${asio})
  target_compile_definitions(${name} PRIVATE
    ASSENT_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ASSENT_BINARY_DIR="${PROJECT_BINARY_DIR}")
  if(arg_NEEDS)
    add_dependencies(${name} ${arg_NEEDS})
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(ASSENT_SANITIZE)
    math(EXPR arg_TIMEOUT "${arg_TIMEOUT} * 5")  # sanitized code is that much slower
    add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:${name}> -DSOURCE=${PROJECT_SOURCE_DIR}
      -DREPORTS=${CMAKE_CURRENT_BINARY_DIR}/${name}.reports -DSKIPPED=${ASSENT_SKIPPED}
      -P ${PROJECT_SOURCE_DIR}/tests/support/run_sanitized.cmake)
    set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "run_sanitized: skipped")
  else()
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE ${ASSENT_SKIPPED})
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
  if(arg_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
endfunction()

function(assent_proto_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "INSTALL" "" "SOURCES")
  _assent_refuse_unknown(${name} "${arg_UNPARSED_ARGUMENTS}")
  set(out ${PROJECT_BINARY_DIR}/generated)
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  file(MAKE_DIRECTORY ${out})
  set(generated "")
  set(inputs "")
  foreach(proto IN LISTS arg_SOURCES)
    get_filename_component(stem ${proto} NAME_WE)
    list(APPEND inputs ${CMAKE_CURRENT_SOURCE_DIR}/${proto})
    list(APPEND generated ${out}/${folder}/${stem}.pb.cc ${out}/${folder}/${stem}.pb.h)
  endforeach()
  # One command for all files: they import each other, so a change in one may change any.
  add_custom_command(
    OUTPUT ${generated}
    COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR} --cpp_out=${out} ${inputs}
    DEPENDS ${inputs} VERBATIM
    COMMENT "protoc ${folder}")
  add_library(${name} STATIC ${generated})
  target_include_directories(${name} SYSTEM PUBLIC $<BUILD_INTERFACE:${out}>)
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf)
  target_compile_options(${name} PRIVATE -w)  # generated code answers to protoc, not to our warnings
  if(arg_INSTALL)
    _assent_install_library(${name})
  endif()
endfunction()

function(_assent_install_library name)
  string(REGEX REPLACE "^assent_" "" exported ${name})
  set_target_properties(${name} PROPERTIES EXPORT_NAME ${exported})
  target_compile_features(${name} INTERFACE cxx_std_20)  # its headers need it in whatever project includes them
  install(TARGETS ${name} EXPORT AssentTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/assent/${folder}
    FILES_MATCHING PATTERN "*.h" PATTERN "*_pch.h" EXCLUDE)
endfunction()

function(_assent_refuse_unknown name unknown)
  if(unknown)
    message(FATAL_ERROR "${name}: unknown arguments '${unknown}'. .cmake/AssentTargets.cmake lists the known ones.")
  endif()
endfunction()
