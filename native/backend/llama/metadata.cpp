#include "backend/llama/metadata.h"

#include <memory>

#include "backend/llama/handles.h"
#include "gguf.h"

namespace thinktree {

std::vector<std::pair<std::string, std::string>> metadata_texts(const std::string & path) {
    std::vector<std::pair<std::string, std::string>> texts;
    const std::unique_ptr<gguf_context, Deleter<gguf_free>> file(gguf_init_from_file(path.c_str(), {true, nullptr}));
    for (int64_t i = 0; file && i < gguf_get_n_kv(file.get()); ++i) {
        if (gguf_get_kv_type(file.get(), i) != GGUF_TYPE_STRING) continue;
        texts.emplace_back(gguf_get_key(file.get(), i), gguf_get_val_str(file.get(), i));
    }
    return texts;
}

}  // namespace thinktree
