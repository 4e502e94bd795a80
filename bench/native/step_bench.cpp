// Owns: what one decode step of many branches costs by the ways there are, and how far that is from its matrix
// products. Must not know: the engine. Thread: one, and ggml's.
//
//   step_bench MODEL.gguf PROMPT OWN BRANCHES ROUNDS THREADS [WAY,...]
//
// The cache is not decoded but filled through llama.cpp's state format: the cells of a prompt that all branches share
// and of OWN tokens of each branch, in turns, as branches leave them that are decoded together. Then a round is one
// step by each way, one after the other. One line of JSON a round and way: {"way", "ms"}.
//
//   tree             llama.cpp with our attention
//   tree q8_0        the same over a cache of 8-bit quants, which is half as large
//   unified          llama.cpp as it comes, one cache for all, all branches in one batch
//   unified63        the same in batches of at most 63 rows, where its flash attention takes another way
//   streams          the same with a cache for each branch, which holds its own copy of the prompt
//   unified plain,
//   streams plain    without flash attention
//   matrices         the matrix products of the step alone: the same shapes, types and weight layout
//   matrices llama.cpp   the same by the kernels that llama.cpp comes with; all rows above have ours
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/llama/handles.h"
#include "kernels/kv_slots.h"
#include "llama.h"
#include "matrix_products.h"

namespace {

// As llama.cpp begins a sequence's state.
constexpr uint32_t sequence_magic = 0xaf143cd8;

struct Work {
    int32_t prompt, own, branches, threads;
};

using Context = thinktree::ContextPtr;
using Model = thinktree::ModelPtr;
using Threadpool = thinktree::ThreadpoolPtr;

std::string metadata(const llama_model * model, const std::string & key) {
    char value[256];
    if (llama_model_meta_val_str(model, key.c_str(), value, sizeof value) < 0) throw std::runtime_error("no " + key);
    return value;
}

// What llama_state_set_data and llama_state_seq_set_data read.
class State {
public:
    template <typename T>
    void put(const T & value) {
        const auto * bytes = reinterpret_cast<const uint8_t *>(&value);
        bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
    }
    void put_text(const std::string & text) {
        put(static_cast<uint32_t>(text.size()));
        bytes_.insert(bytes_.end(), text.begin(), text.end());
    }
    void put_cell(int32_t position, const std::vector<int32_t> & sequences) {
        put(position);
        put(static_cast<uint32_t>(sequences.size()));
        for (const int32_t s : sequences) put(s);
    }
    void put_keys_and_values(const llama_model * model, size_t cells, bool transposed, ggml_type type) {
        const auto layers = static_cast<uint32_t>(llama_model_n_layer(model));
        const size_t width = static_cast<size_t>(llama_model_n_embd(model)) / llama_model_n_head(model) *
                             static_cast<size_t>(llama_model_n_head_kv(model));
        std::vector<float> values(width * 64);
        for (float & x : values) x = static_cast<float>(std::rand()) / static_cast<float>(RAND_MAX) - 0.5f;
        const size_t row_bytes = ggml_row_size(type, static_cast<int64_t>(width));
        std::vector<uint8_t> rows(row_bytes * 64);
        ggml_quantize_chunk(type, values.data(), rows.data(), 0, 64, static_cast<int64_t>(width), nullptr);
        put(static_cast<uint32_t>(transposed));
        put(layers);
        for (uint32_t layer = 0; layer < 2 * layers; ++layer) {
            put(static_cast<int32_t>(type));
            if (transposed && layer >= layers) {
                put(static_cast<uint32_t>(ggml_type_size(type)));
                put(static_cast<uint32_t>(width));
            } else {
                put(static_cast<uint64_t>(row_bytes));
            }
            for (size_t cell = 0; cell < cells;) {
                const size_t n = std::min<size_t>(64, cells - cell);
                bytes_.insert(bytes_.end(), rows.data(), rows.data() + n * row_bytes);
                cell += n;
            }
        }
    }
    const std::vector<uint8_t> & bytes() const { return bytes_; }

private:
    std::vector<uint8_t> bytes_;
};

enum class Attention { tree, flash, plain };

Context make_context(llama_model * model, const Work & work, bool unified, Attention attention,
                     ggml_type cache = GGML_TYPE_F16) {
    const int32_t cells =
        unified ? work.prompt + work.branches * (work.own + 64) : work.branches * (work.prompt + work.own + 64);
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>((cells + 255) / 256 * 256);
    params.n_batch = 512;
    params.n_ubatch = 512;
    params.n_seq_max = static_cast<uint32_t>(work.branches);
    params.n_outputs_max = static_cast<uint32_t>(work.branches);
    params.n_threads = params.n_threads_batch = work.threads;
    params.kv_unified = unified;
    params.flash_attn_type =
        attention == Attention::plain ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_ENABLED;
    params.type_k = params.type_v = cache;
    params.no_perf = true;
    Context context = thinktree::open_context(model, params, attention == Attention::tree);
    if (!context) throw std::runtime_error("no context");
    return context;
}

// The branches' own cells in turns of so many: 1 as llama.cpp leaves them, or a run of ours.
void fill_unified(const llama_model * model, llama_context * context, const Work & work, int32_t turn, bool transposed,
                  ggml_type cache = GGML_TYPE_F16) {
    State state;
    state.put_text(metadata(model, "general.architecture"));
    state.put(uint32_t{1});
    const auto cells = static_cast<size_t>(work.prompt + work.branches * work.own);
    state.put(static_cast<uint32_t>(cells));
    std::vector<int32_t> all(static_cast<size_t>(work.branches));
    for (int32_t b = 0; b < work.branches; ++b) all[static_cast<size_t>(b)] = b;
    for (int32_t p = 0; p < work.prompt; ++p) state.put_cell(p, all);
    for (int32_t t = 0; t < work.own; t += turn) {
        for (int32_t b = 0; b < work.branches; ++b) {
            for (int32_t i = t; i < std::min(work.own, t + turn); ++i) state.put_cell(work.prompt + i, {b});
        }
    }
    state.put_keys_and_values(model, cells, transposed, cache);
    if (llama_state_set_data(context, state.bytes().data(), state.bytes().size()) == 0) {
        throw std::runtime_error("the state was refused");
    }
}

void fill_streams(const llama_model * model, llama_context * context, const Work & work, bool transposed) {
    State state;
    state.put(sequence_magic);
    state.put(int32_t{0});
    state.put(static_cast<uint32_t>(work.branches));
    const auto cells = static_cast<size_t>(work.prompt + work.own);
    state.put(static_cast<uint32_t>(cells));
    for (int32_t p = 0; p < work.prompt + work.own; ++p) state.put_cell(p, {0});
    state.put_keys_and_values(model, cells, transposed, GGML_TYPE_F16);
    for (int32_t b = 1; b < work.branches; ++b) state.put(uint32_t{0});  // nothing in the other streams
    for (int32_t b = 0; b < work.branches; ++b) {
        if (llama_state_seq_set_data(context, state.bytes().data(), state.bytes().size(), b) == 0) {
            throw std::runtime_error("the state was refused");
        }
    }
}

void step(llama_context * context, const Work & work, int32_t nth, int32_t most_rows) {
    const int32_t turns = (work.branches + most_rows - 1) / most_rows;
    for (int32_t turn = 0; turn < turns; ++turn) {
        const int32_t begin = work.branches * turn / turns, end = work.branches * (turn + 1) / turns;
        llama_batch batch = llama_batch_init(end - begin, 0, 1);
        for (int32_t b = begin; b < end; ++b) {
            const int32_t i = batch.n_tokens++;
            batch.token[i] = (nth * 977 + b * 31) % 1000;
            batch.pos[i] = work.prompt + work.own + nth;
            batch.n_seq_id[i] = 1;
            batch.seq_id[i][0] = b;
            batch.logits[i] = 1;
        }
        const int status = llama_decode(context, batch);
        llama_synchronize(context);
        llama_batch_free(batch);
        if (status != 0) throw std::runtime_error("decode failed: " + std::to_string(status));
    }
}

struct Way {
    const char * name;
    std::function<void(int32_t nth)> run;
};

// `wanted`: names of ways with commas between them, or nothing for all.
void measure(const std::string & path, const Work & work, int32_t rounds, const std::string & wanted) {
    llama_log_set(
        [](ggml_log_level level, const char * text, void *) {
            if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
        },
        nullptr);
    llama_backend_init();
    const Model model(llama_model_load_from_file(path.c_str(), llama_model_default_params()));
    if (!model) throw std::runtime_error("no model at " + path);
    ggml_threadpool_params pool = ggml_threadpool_params_default(work.threads);
    const Threadpool threads(ggml_threadpool_new(&pool));

    const Context tree = make_context(model.get(), work, true, Attention::tree);
    const Context quants = make_context(model.get(), work, true, Attention::tree, GGML_TYPE_Q8_0);
    const Context unified = make_context(model.get(), work, true, Attention::flash);
    const Context plain = make_context(model.get(), work, true, Attention::plain);
    fill_unified(model.get(), tree.get(), work, thinktree::cells_per_run, false);
    fill_unified(model.get(), quants.get(), work, thinktree::cells_per_run, false, GGML_TYPE_Q8_0);
    fill_unified(model.get(), unified.get(), work, 1, false);
    fill_unified(model.get(), plain.get(), work, 1, true);
    Context streams, plain_streams;
    constexpr int64_t most_memory = int64_t{4} << 30;
    const int64_t cell_bytes = int64_t{4} * llama_model_n_layer(model.get()) * llama_model_n_embd(model.get()) /
                               llama_model_n_head(model.get()) * llama_model_n_head_kv(model.get());
    if (cell_bytes * work.branches * (work.prompt + work.own) <= most_memory) {
        streams = make_context(model.get(), work, false, Attention::flash);
        plain_streams = make_context(model.get(), work, false, Attention::plain);
        fill_streams(model.get(), streams.get(), work, false);
        fill_streams(model.get(), plain_streams.get(), work, true);
    }
    for (llama_context * context :
         {tree.get(), quants.get(), unified.get(), plain.get(), streams.get(), plain_streams.get()}) {
        if (context != nullptr) llama_attach_threadpool(context, threads.get(), threads.get());
    }
    const std::string own = metadata(model.get(), "general.architecture") + ".";
    MatrixProducts matrices(
        {llama_model_n_embd(model.get()), llama_model_n_layer(model.get()), llama_model_n_head(model.get()),
         llama_model_n_head_kv(model.get()), std::stoi(metadata(model.get(), own + "feed_forward_length")),
         llama_vocab_n_tokens(llama_model_get_vocab(model.get()))},
        work.branches, threads.get(), work.threads);

    int32_t unified_steps = 0;  // two ways share the context
    std::vector<Way> ways{{"tree", [&](int32_t nth) { step(tree.get(), work, nth, 512); }},
                          {"tree q8_0", [&](int32_t nth) { step(quants.get(), work, nth, 512); }},
                          {"unified", [&](int32_t) { step(unified.get(), work, unified_steps++, 512); }}};
    if (work.branches > 63) {
        ways.push_back({"unified63", [&](int32_t) { step(unified.get(), work, unified_steps++, 63); }});
    }
    ways.push_back({"unified plain", [&](int32_t nth) { step(plain.get(), work, nth, 512); }});
    if (streams) {
        ways.push_back({"streams", [&](int32_t nth) { step(streams.get(), work, nth, 512); }});
        ways.push_back({"streams plain", [&](int32_t nth) { step(plain_streams.get(), work, nth, 512); }});
    }
    ways.push_back({"matrices", [&](int32_t) { matrices.compute(true); }});
    ways.push_back({"matrices llama.cpp", [&](int32_t) { matrices.compute(false); }});
    if (!wanted.empty()) {
        std::set<std::string> names;
        std::istringstream list(wanted);
        for (std::string name; std::getline(list, name, ',');) names.insert(name);
        std::erase_if(ways, [&](const Way & way) { return !names.contains(way.name); });
    }
    for (int32_t round = 0; round <= rounds; ++round) {
        for (const Way & way : ways) {
            const auto begun = std::chrono::steady_clock::now();
            way.run(round);
            const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begun;
            // The first round makes graphs and touches memory.
            if (round > 0) std::printf("{\"way\":\"%s\",\"ms\":%.3f}\n", way.name, taken.count());
        }
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc != 7 && argc != 8) {
        std::fprintf(stderr, "step_bench MODEL.gguf PROMPT OWN BRANCHES ROUNDS THREADS [WAY,...]\n");
        return 2;
    }
    try {
        measure(argv[1], {std::atoi(argv[2]), std::atoi(argv[3]), std::atoi(argv[4]), std::atoi(argv[6])},
                std::atoi(argv[5]), argc == 8 ? argv[7] : "");
    } catch (const std::exception & error) {
        std::fprintf(stderr, "step_bench: %s\n", error.what());
        return 1;
    }
}
