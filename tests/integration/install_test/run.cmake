# Installs what was built into a fresh folder, builds a stranger's program against it, and runs that.
#   cmake -DBUILD=.. -DSOURCE=.. -DWORK=.. -DFLAGS=.. -P run.cmake

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "failed (${status}): ${ARGV}\n${said}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} -S ${SOURCE}/tests/integration/install_test -B ${WORK}/build -G Ninja
  -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_CXX_FLAGS=${FLAGS}
  -DEXAMPLE=${SOURCE}/coordinator/client/example_point_payment.cc)
run(${CMAKE_COMMAND} --build ${WORK}/build)

# Nobody listens on port 1: the program must run, and say so with its own status.
execute_process(COMMAND ${WORK}/build/pay 127.0.0.1:1 RESULT_VARIABLE status ERROR_VARIABLE said)
if(NOT status EQUAL 4 OR NOT said MATCHES "127.0.0.1:1")
  message(FATAL_ERROR "the installed program ended with ${status}: ${said}")
endif()
run(${WORK}/prefix/bin/assentctl --help)
run(${WORK}/prefix/bin/assentd --help)
run(${WORK}/prefix/bin/assent-chaos --help)
file(REMOVE_RECURSE ${WORK})
