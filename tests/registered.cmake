# cmake -D TESTS=<turn-tests> -D LABELS=<a|b|…> -D BUILD=<build folder> -P registered.cmake
# Fails unless CTest knows as many tests of these labels as turn-tests has test cases: a discovery that finds nothing
# is silent, and two cases of one title in one folder become one test.
execute_process(COMMAND ${TESTS} --list-test-cases OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_CTEST_COMMAND} --test-dir ${BUILD} -N -V -L "^(${LABELS})$"
  OUTPUT_VARIABLE registered COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "passing the current filters: ([0-9]+)" ignored "${listed}")
set(cases ${CMAKE_MATCH_1})
get_filename_component(program ${TESTS} NAME) # other programs may carry these labels too
string(REGEX MATCHALL "/${program} \"--test-case=" commands "${registered}")
list(LENGTH commands run)
if(NOT cases OR NOT cases EQUAL run)
  message(FATAL_ERROR "${TESTS} has ${cases} test cases, CTest runs ${run} of them")
endif()
message(STATUS "${cases} test cases, all of them run by CTest")
