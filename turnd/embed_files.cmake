# cmake -D FOLDER=<folder> -D OUT=<file.cpp> -P embed_files.cmake
# Writes a C++ file with the content of every file in FOLDER, as embedded_files.hpp wants it.
set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_png "image/png")
set(type_ico "image/x-icon")

file(GLOB files RELATIVE ${FOLDER} ${FOLDER}/*)
list(SORT files)
set(arrays "")
set(rows "")
set(number 0)
foreach(file ${files})
  get_filename_component(extension ${file} LAST_EXT)
  string(SUBSTRING "${extension}" 1 -1 extension)
  if(NOT DEFINED type_${extension})
    message(FATAL_ERROR "${file}: embed_files.cmake knows no content type for .${extension}")
  endif()
  file(READ ${FOLDER}/${file} hex HEX)
  file(SHA256 ${FOLDER}/${file} digest)
  string(SUBSTRING ${digest} 0 32 etag)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
  string(REGEX REPLACE "('[^']+',('[^']+',)?('[^']+',)?('[^']+',)?('[^']+',)?('[^']+',)?('[^']+',)?('[^']+',)?)" "\\1\n" bytes "${bytes}")
  string(APPEND arrays "constexpr char file_${number}[] = {\n${bytes}'\\0'};\n")
  set(path "/${file}")
  if(file STREQUAL "index.html")
    set(path "/")
  endif()
  string(APPEND rows
    "    {\"${path}\", \"${type_${extension}}\", \"\\\"${etag}\\\"\", {file_${number}, sizeof file_${number} - 1}},\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE ${OUT} "// Made by embed_files.cmake from ${number} files.
#include \"embedded_files.hpp\"

#include <algorithm>

namespace turnd {
namespace {

${arrays}
constexpr embedded_file table[] = {
${rows}};

} // namespace

std::span<const embedded_file> embedded_files() noexcept {
    return table;
}

const embedded_file* find_embedded_file(std::string_view path) noexcept {
    const auto at = std::find_if(std::begin(table), std::end(table), [&](const auto& f) { return f.path == path; });
    return at == std::end(table) ? nullptr : &*at;
}

} // namespace turnd
")
