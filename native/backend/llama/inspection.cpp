#include "backend/llama/inspection.h"

#include <algorithm>
#include <exception>

#include "backend/llama/architecture.h"
#include "backend/llama/assertions.h"
#include "backend/llama/context_params.h"
#include "backend/llama/handles.h"
#include "backend/llama/loading.h"
#include "backend/llama/logging.h"
#include "backend/llama/trial.h"
#include "llama.h"

namespace thinktree {

namespace {

std::vector<SpecialToken> special_tokens(const GgufFile & file) {
    constexpr std::string_view begin = "tokenizer.ggml.", end = "_token_id";
    std::vector<SpecialToken> found;
    for (const std::string & key : file.keys()) {
        if (!key.starts_with(begin) || !key.ends_with(end)) continue;
        const std::optional<int64_t> id = file.whole(key);
        if (!id) continue;
        found.push_back({key.substr(begin.size(), key.size() - begin.size() - end.size()), *id,
                         file.text_at("tokenizer.ggml.tokens", *id).value_or("")});
    }
    return found;
}

bool renders(const std::optional<std::string> & chat_template) {
    if (!chat_template) return false;
    const llama_chat_message message{"user", "1 + 1?"};
    return llama_chat_apply_template(chat_template->c_str(), &message, 1, true, nullptr, 0) > 0;
}

// `sequences`: 0, as many as come with the cells.
ContextPtr open_measured(llama_model * model, int32_t cells, CacheType cache, bool plans, uint32_t sequences) {
    const LogErrors log;
    ContextOptions options;
    options.cells = cells;
    options.cache = cache;
    llama_context_params params = context_params(model, options);
    if (sequences > 0) params.n_seq_max = sequences;
    ContextPtr context = open_context(model, params, plans);
    if (!context) throw Error(ErrorCode::model_load_failed, "no context for this model: " + log.first());
    return context;
}

void measure(llama_model * model, int32_t cells, int32_t branches, Inspection & found) {
    found.cells = cells;
    if (has_states(model)) {
        found.cells = std::max(cells, cells_of_state * std::min(branches + 1, SeqSet::capacity));
        found.states = sequences_of(model, found.cells);
    }
#ifdef THINKTREE_LLAMA_PATCHED
    found.tree_attention = llama_supports_gpu_offload()
                               ? gpus_read_plans(model, context_params(model, {}))
                               : reads_plans(open_measured(model, smallest_cells, CacheType::f16, true, 1).get());
#endif
    const auto memory = [&](CacheType cache) {
        const auto use = [&](int32_t of, uint32_t sequences) {
            return memory_of(open_measured(model, of, cache, found.tree_attention, sequences).get());
        };
        const CacheBytes bytes =
            cache_bytes(model, use(smallest_cells, 1).cache, [&] { return use(2 * smallest_cells, 1).cache; });
        return CacheMemory{bytes, use(found.cells, 0)};
    };
    found.f16 = memory(CacheType::f16);
    try {
        found.q8_0 = memory(CacheType::q8_0);
    } catch (const Error &) {
        // Said by its absence.
    }
}

}  // namespace

Inspection inspect_model(const std::string & path, int32_t cells, int32_t branches) {
    prepare_llama();
    Inspection found(path);
    const CatchAssertions catching;
    found.devices = devices();
    found.special_tokens = special_tokens(found.file);
    try {
        found.template_renders = renders(found.file.text("tokenizer.chat_template"));
    } catch (const std::exception &) {
        // Then it does not.
    }
    try {
        if (is_adapter(found.file)) found.lora = read_lora(found.file);
        const ModelPtr model = open_model(path, found.file, -1, Weights::left_out);
        measure(model.get(), cells, branches, found);
    } catch (const Error & error) {
        found.refusal = {error.code, error.what()};
    } catch (const std::exception & error) {
        found.refusal = {ErrorCode::model_load_failed, error.what()};
    }
    return found;
}

}  // namespace thinktree
