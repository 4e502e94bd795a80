// Owns: what decoding takes on a GPU by one way, for several numbers of branches. Must not know: the engine.
// Thread: one, and llama.cpp's.
//
//   gpu_steps MODEL.gguf WAY PROMPT OWN BRANCHES[,BRANCHES ...] [LAYERS ON THE GPU]
//
//   tree              one cache for all branches, attention by tree plans
//   unified           one cache, llama.cpp's own attention
//   streams           a cache for each branch, with its own copy of the prompt
//   unified-sampled   and streams-sampled: the same with llama.cpp's sampling on the GPU, so that no logits are copied
//
// A prompt is decoded once; then OWN steps of one token a branch. Prints a line of JSON for each number of branches:
// the whole time of the steps, and the median and the last quarter's median of a step; and what a step reads of a model
// that random_gguf has made.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/llama/handles.h"
#include "llama.h"

namespace {

using Model = thinktree::ModelPtr;
using Context = thinktree::ContextPtr;
using Sampler = thinktree::SamplerPtr;
using Clock = std::chrono::steady_clock;

struct Work {
    std::string way;
    int32_t prompt, own, branches;

    bool begins(const char * name) const { return way.rfind(name, 0) == 0; }
    bool sampled() const { return way.find("-sampled") != std::string::npos; }
};

// Chains, as the context wants them; they outlive it.
std::vector<Sampler> samplers_of(const Work & work) {
    std::vector<Sampler> chains;
    for (int32_t b = 0; work.sampled() && b < work.branches; ++b) {
        chains.emplace_back(llama_sampler_chain_init(llama_sampler_chain_default_params()));
        llama_sampler_chain_add(chains.back().get(), llama_sampler_init_top_k(40));
        llama_sampler_chain_add(chains.back().get(), llama_sampler_init_temp(0.8f));
        llama_sampler_chain_add(chains.back().get(), llama_sampler_init_dist(static_cast<uint32_t>(b)));
    }
    return chains;
}

Context make_context(llama_model * model, const Work & work, const std::vector<Sampler> & chains) {
    const bool streams = work.begins("streams");
    const int32_t cells =
        streams ? work.branches * ((work.prompt + work.own + 255) / 256 * 256) : work.prompt + work.branches * work.own;
    std::vector<llama_sampler_seq_config> samplers;
    for (size_t b = 0; b < chains.size(); ++b) samplers.push_back({static_cast<llama_seq_id>(b), chains[b].get()});
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>((cells + 255) / 256 * 256);
    params.n_batch = params.n_ubatch = 512;
    params.n_threads = params.n_threads_batch = 1;  // the CPU has next to nothing to do, and its threads spin
    params.n_seq_max = static_cast<uint32_t>(work.branches);
    params.n_outputs_max = static_cast<uint32_t>(work.branches);
    params.kv_unified = !streams;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
    params.no_perf = true;
    params.samplers = samplers.data();
    params.n_samplers = samplers.size();
    Context context = thinktree::open_context(model, params, work.way == "tree");
    if (!context) throw std::runtime_error("no context for " + std::to_string(work.branches) + " branches");
    return context;
}

void decode(llama_context * context, const llama_batch & batch) {
    const int status = llama_decode(context, batch);
    if (status != 0) throw std::runtime_error("decode failed: " + std::to_string(status));
    llama_synchronize(context);
}

class Batch {
public:
    explicit Batch(int32_t size) : batch_(llama_batch_init(size, 0, 1)) {}
    Batch(const Batch &) = delete;
    ~Batch() { llama_batch_free(batch_); }

    void add(llama_token token, llama_pos position, llama_seq_id sequence, bool output) {
        const int32_t i = batch_.n_tokens++;
        batch_.token[i] = token;
        batch_.pos[i] = position;
        batch_.n_seq_id[i] = 1;
        batch_.seq_id[i][0] = sequence;
        batch_.logits[i] = output;
    }
    const llama_batch & get() const { return batch_; }

private:
    llama_batch batch_;
};

void read_prompt(llama_context * context, const Work & work) {
    for (int32_t begin = 0; begin < work.prompt; begin += 512) {
        Batch batch(512);
        for (int32_t p = begin; p < std::min(work.prompt, begin + 512); ++p) batch.add(p % 1000, p, 0, false);
        decode(context, batch.get());
    }
    for (int32_t b = 1; b < work.branches; ++b) llama_memory_seq_cp(llama_get_memory(context), 0, b, -1, -1);
}

// Milliseconds of each step.
std::vector<double> run(llama_model * model, const Work & work) {
    const std::vector<Sampler> chains = samplers_of(work);
    const Context context = make_context(model, work, chains);
    read_prompt(context.get(), work);
    std::vector<llama_token> next(static_cast<size_t>(work.branches));
    for (int32_t b = 0; b < work.branches; ++b) next[static_cast<size_t>(b)] = b;
    std::vector<double> taken;
    for (int32_t s = 0; s < work.own; ++s) {
        Batch batch(work.branches);
        for (int32_t b = 0; b < work.branches; ++b) batch.add(next[static_cast<size_t>(b)], work.prompt + s, b, true);
        const auto begun = Clock::now();
        decode(context.get(), batch.get());
        for (int32_t b = 0; b < work.branches; ++b) {
            auto & token = next[static_cast<size_t>(b)];
            token =
                work.sampled() ? std::max(0, llama_get_sampled_token_ith(context.get(), b)) : (token * 31 + s) % 1000;
        }
        taken.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begun).count());
    }
    return taken;
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

std::string metadata(const llama_model * model, const char * key) {
    char value[64] = "0";
    llama_model_meta_val_str(model, key, value, sizeof value);
    return value;
}

void measure(const std::string & path, Work work, const std::string & branches, int32_t gpu_layers) {
    llama_log_set(
        [](ggml_log_level level, const char * text, void *) {
            if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
        },
        nullptr);
    llama_backend_init();
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = gpu_layers;
    const Model model(llama_model_load_from_file(path.c_str(), params));
    if (!model) throw std::runtime_error("no model at " + path);

    // What comes first pays for the kernels' loading.
    work.branches = 1;
    run(model.get(), {work.way, work.prompt, std::min(work.own, 8), 1});
    std::istringstream list(branches);
    for (std::string item; std::getline(list, item, ',');) {
        work.branches = std::stoi(item);
        try {
            const std::vector<double> steps = run(model.get(), work);
            double all = 0;
            for (const double ms : steps) all += ms;
            const std::vector<double> late(steps.end() - static_cast<std::ptrdiff_t>((steps.size() + 3) / 4),
                                           steps.end());
            std::printf(
                "{\"way\":\"%s\",\"branches\":%d,\"prompt\":%d,\"own\":%d,\"ms\":%.3f,\"step_ms\":%.4f,\"late_step_"
                "ms\":%.4f,"
                "\"bytes\":%s,\"weights\":%s,\"layers\":%d,\"width\":%d,\"heads\":%d,\"kv_heads\":%d}\n",
                work.way.c_str(), work.branches, work.prompt, work.own, all, median(steps), median(late),
                metadata(model.get(), "random.bytes_of_step").c_str(),
                metadata(model.get(), "random.weights_of_step").c_str(), llama_model_n_layer(model.get()),
                llama_model_n_embd(model.get()), llama_model_n_head(model.get()), llama_model_n_head_kv(model.get()));
        } catch (const std::exception & error) {
            std::printf("{\"way\":\"%s\",\"branches\":%d,\"error\":\"%s\"}\n", work.way.c_str(), work.branches,
                        error.what());
        }
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc < 6) {
        std::fprintf(stderr, "gpu_steps MODEL.gguf WAY PROMPT OWN BRANCHES[,...] [LAYERS ON THE GPU]\n");
        return 2;
    }
    try {
        measure(argv[1], {argv[2], std::atoi(argv[3]), std::atoi(argv[4]), 0}, argv[5],
                argc > 6 ? std::atoi(argv[6]) : 999);
    } catch (const std::exception & error) {
        std::fprintf(stderr, "gpu_steps: %s\n", error.what());
        return 1;
    }
}
