# turn_warnings(<target>): the warnings this project is free of, as errors.
function(turn_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
endfunction()
