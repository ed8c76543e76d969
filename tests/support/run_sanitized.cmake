# Runs a test of a build with sanitizers. It passes when the test does and no process that it started has reported
# anything: each writes its report to a file of its own at once, so a SIGKILL that follows cannot hide it, nor can a
# test that did not look. Options of whoever calls come last, so they win.
#   cmake -DPROGRAM=.. -DREPORTS=folder -DSOURCE=.. -DSKIPPED=code -P run_sanitized.cmake

file(REMOVE_RECURSE ${REPORTS})
file(MAKE_DIRECTORY ${REPORTS})
set(reporting "log_path=${REPORTS}/report:log_exe_name=1")
# The order of linking is not verified: a process may be started with libassent_host.so before it.
set(ENV{ASAN_OPTIONS} "${reporting}:detect_stack_use_after_return=1:verify_asan_link_order=0:$ENV{ASAN_OPTIONS}")
set(ENV{LSAN_OPTIONS} "suppressions=${SOURCE}/tests/support/lsan.supp:print_suppressions=0:$ENV{LSAN_OPTIONS}")
set(ENV{TSAN_OPTIONS} "${reporting}:suppressions=${SOURCE}/tests/support/tsan.supp:second_deadlock_stack=1:history_size=5:$ENV{TSAN_OPTIONS}")
set(ENV{UBSAN_OPTIONS} "${reporting}:print_stacktrace=1:$ENV{UBSAN_OPTIONS}")

execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE status)

file(GLOB reports "${REPORTS}/*")
foreach(report IN LISTS reports)
  file(READ ${report} text)
  message("${report}:\n${text}")
endforeach()
list(LENGTH reports count)
if(count EQUAL 0 AND status STREQUAL "${SKIPPED}")
  message("run_sanitized: skipped")  # ctest reads it: before CMake 3.29 a script can't end with a code of its own
elseif(count GREATER 0 OR NOT status STREQUAL "0")
  message(FATAL_ERROR "${PROGRAM}: ended with ${status}; processes with a sanitizer's report: ${count}")
endif()
