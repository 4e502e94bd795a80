# What we change in llama.cpp's source after unpacking it: see docs/decisions/0003. Each edit must find its text exactly
# once, so that another release cannot be patched wrongly in silence.

function(replace_once file from to)
  file(READ ${file} text)
  string(FIND "${text}" "${from}" first)
  string(FIND "${text}" "${from}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR "llama.cpp's ${file} is not as expected: \"${from}\" is not there exactly once")
  endif()
  string(REPLACE "${from}" "${to}" text "${text}")
  file(WRITE ${file} "${text}")
endfunction()

function(patch_llama folder)
  set(ops ${folder}/ggml/src/ggml-cpu/ops.cpp)
  # CPU attention in dense tiles already for 4 query rows, and not from 64 on ...
  replace_once(${ops} "neq1 >= Q_TILE_SZ)" "neq1 >= 4)")
  # ... a tile costing what its rows cost, and not 64 of them ...
  replace_once(${ops} "K_f32, Q_TILE_SZ, DK, KV_TILE_SZ)" "K_f32, tile_rows, DK, KV_TILE_SZ)")
  replace_once(${ops} "V32, Q_TILE_SZ, KV_TILE_SZ, DV)" "V32, tile_rows, KV_TILE_SZ, DV)")
  set(rows "            for (int tq = 0; tq < Q_TILE_SZ; tq++) {\n")
  set(valid_rows "            for (int tq = 0; tq < tile_rows; tq++) {\n")
  foreach(next "                float * kq_row" "                if (skip[tq])")
    replace_once(${ops} "${rows}${next}" "${valid_rows}${next}")
  endforeach()
  # ... and threads taking whole heads, so that no tile is cut in two.
  set(after "\n\n        static constexpr int64_t Q_TILE_SZ  = ggml_fa_tile_config::Q")
  replace_once(${ops} "const int64_t dr = (nr + nchunk - 1) / nchunk;${after}"
               "const int64_t dr = ((nr + nchunk - 1) / nchunk + neq1 - 1) / neq1 * neq1;${after}")
endfunction()
