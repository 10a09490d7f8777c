# turn_man_page(TARGET TEMPLATE SECTION): the page TARGET.SECTION, made of the template and what the program says of itself, is
# built with everything and installed. Not for sanitized programs, which do not run everywhere.
function(turn_man_page target template section)
  if(NOT TURN_INSTALL OR TURN_SANITIZE OR CMAKE_CROSSCOMPILING)
    return()
  endif()
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  set(page ${CMAKE_CURRENT_BINARY_DIR}/${target}.${section})
  set(maker ${PROJECT_SOURCE_DIR}/cmake/man_page.py)
  add_custom_command(OUTPUT ${page}
    COMMAND ${Python3_EXECUTABLE} ${maker} ${CMAKE_CURRENT_SOURCE_DIR}/${template} $<TARGET_FILE:${target}> > ${page}.new
    COMMAND ${CMAKE_COMMAND} -E rename ${page}.new ${page}
    DEPENDS ${target} ${maker} ${template} VERBATIM)
  add_custom_target(${target}-manual ALL DEPENDS ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endfunction()
