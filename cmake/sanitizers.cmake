# TURN_SANITIZE applies to all targets below this line of the top-level file.
if(TURN_SANITIZE)
  add_compile_options(-fsanitize=${TURN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TURN_SANITIZE})
endif()
