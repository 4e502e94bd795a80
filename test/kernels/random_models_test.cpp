// Models whose memory is not just cells that everybody sees, through the backend: hybrids, whose attention and
// recurrent states fork at once, and sliding windows. Each row is that of its path read alone. THINKTREE_TEST_RANDOM
// names a folder of models (test/models/random_model.cpp); without it nothing is checked.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <numeric>
#include <set>
#include <string>

#include "backend/llama/llama_backend.h"
#include "random_forest.h"

namespace {

using namespace thinktree;

// llama.cpp's own attention, which windows always have, sums up halves where there are fewer than 64 rows; tree plans
// sum up floats.
constexpr float apart_by_plans = 5e-4f, apart_by_masks = 0.03f;

std::set<std::filesystem::path> random_models() {
    std::set<std::filesystem::path> paths;
    const char * folder = std::getenv("THINKTREE_TEST_RANDOM");
    if (folder == nullptr) {
        std::cout << "    skipped: no THINKTREE_TEST_RANDOM" << std::endl;
        return paths;
    }
    for (const auto & file : std::filesystem::directory_iterator(folder)) paths.insert(file.path());
    CHECK(!paths.empty());
    return paths;
}

float apart(const std::vector<float> & a, const std::vector<float> & b) {
    return largest_difference(a.data(), b.data(), a.size());
}

TEST(a_forest_computes_what_each_path_does_alone) {
    for (const std::filesystem::path & path : random_models()) {
        const auto model = LlamaModels().load({path.string(), 0});
        ReadAlone alone(*model);
        ForestDeviation all;
        for (const int32_t units : {1, 2, 5, 64}) {
            const ForestDeviation found = RandomForest(*model, units * 256, alone).grow(40, 100);
            all.most = std::max(all.most, found.most);
            all.rows += found.rows;
            all.recomputed += found.recomputed;
        }
        const std::string name = path.stem().string();
        std::cout << "    " << name << ", " << (alone.by_plans() ? "tree plans: " : "masks: ") << all.rows << " rows, "
                  << all.recomputed << " tokens recomputed, within " << all.most << std::endl;
        CHECK(all.recomputed > 0);
        const bool by_plans = alone.by_plans() && !name.ends_with("window");
        CHECK(all.most < (by_plans ? apart_by_plans : apart_by_masks));
    }
}

// What the test above relies on.
TEST(a_random_models_logits_depend_on_what_came_before) {
    for (const std::filesystem::path & path : random_models()) {
        const auto model = LlamaModels().load({path.string(), 0});
        ReadAlone alone(*model);
        std::vector<Token> tokens(40);
        std::iota(tokens.begin(), tokens.end(), 20);
        const std::vector<float> logits = alone.after(tokens);
        CHECK(apart(logits, ReadAlone(*model, true).after(tokens)) < apart_by_masks);
        tokens[35] = 100;
        const float moved = apart(logits, alone.after(tokens));
        if (moved <= 10 * apart_by_masks) std::cout << "    " << path.stem().string() << ": by " << moved << std::endl;
        CHECK(moved > 10 * apart_by_masks);
    }
}

}  // namespace
