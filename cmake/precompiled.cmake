option(TURN_PRECOMPILE "Parse what most files include once for each target; hides missing includes" OFF)

# turn_precompile(TARGET HEADER...)
function(turn_precompile target)
  if(TURN_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE ${ARGN}
      <algorithm> <array> <chrono> <functional> <map> <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread>
      <utility> <variant> <vector>)
  endif()
endfunction()
