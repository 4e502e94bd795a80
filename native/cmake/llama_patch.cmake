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
  # CPU attention by our kernel, which visits the cells that its rows see, already for 4 query rows ...
  set(entry "static void ggml_compute_forward_flash_attn_ext_f16(\n        const ggml_compute_params * params,\n        ggml_tensor * dst) {")
  replace_once(${ops} "${entry}" "#include \"${CMAKE_SOURCE_DIR}/native/kernels/tree_attention.h\"\n\n${entry}")
  replace_once(${ops} "neq1 >= Q_TILE_SZ)" "neq1 >= 4)")
  replace_once(${ops} "ggml_compute_forward_flash_attn_ext_tiled(params, dst, ir0, ir1);"
               "thinktree_tree_attention(params, dst, ir0, ir1);")
  replace_once(${ops} "static void ggml_compute_forward_flash_attn_ext_tiled(" "[[maybe_unused]] static void ggml_compute_forward_flash_attn_ext_tiled(")
  # ... and threads taking whole heads, so that no tile is cut in two.
  set(after "\n\n        static constexpr int64_t Q_TILE_SZ  = ggml_fa_tile_config::Q")
  replace_once(${ops} "const int64_t dr = (nr + nchunk - 1) / nchunk;${after}"
               "const int64_t dr = ((nr + nchunk - 1) / nchunk + neq1 - 1) / neq1 * neq1;${after}")
endfunction()
