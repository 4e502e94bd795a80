// Owns: how a tree plan is cut into pieces of about equal work for a GPU. Runs on the host, once per decode.
// Must not know: CUDA, tensors. Thread: the one that fills the graph's inputs.
//
// The plan lists segments: KV cells that the same rows see. Rows come in plan order, in which each segment's rows are
// neighbours, so that a cell and who sees it are a visit: {cell, first row, row after the last}. An item is a
// run of visits and a range of rows, and is what one thread block multiplies for one KV head. An item may hold the
// cells of several segments (a parent, its children), since each visit says for itself which of the item's rows it is
// for. Each item leaves every row of its own one partial result, in the row's next free slot; a second kernel adds them
// up.
#pragma once

#include <algorithm>
#include <climits>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "../tree_plan.h"

namespace thinktree {

// The work's first words; offsets count from them.
struct WorkHeader {
    int32_t items, slots;
    int32_t items_at, visits_at, item_slots_at, row_slots_at;
};

struct WorkItem {
    int32_t first_row, rows;  // in plan order
    int32_t first_visit, visits;
    int32_t first_slot;  // in the table of item slots: one for each row
};

struct WorkVisit {
    int32_t cell;
    uint16_t begin, end;  // plan rows that see it
};

// What one thread block multiplies at once: queries are rows times the heads that share a KV head.
constexpr int queries_per_item = 64;
constexpr int queries_per_small_item = 16;
constexpr int cells_per_step = 64;

// No work has more slots, so that memory for partial results is known before the plan is.
constexpr int slot_capacity(int rows) { return 8 * rows + 1024; }

// Words that suffice for the work of so many rows over so many cells. (Rows that see leading parts of one segment in no
// order make more than one visit of a cell; only cells of the batch itself can be such.)
constexpr int64_t work_words(int64_t rows, int64_t cells) {
    return (sizeof(WorkHeader) + sizeof(WorkVisit) * (cells + 4 * rows)) / sizeof(int32_t) + rows + 1 +
           (sizeof(WorkItem) / sizeof(int32_t) + 1) * slot_capacity(static_cast<int>(rows));
}

class TreeWork {
public:
    // Writes the work behind the plan. heads_per_kv: query heads that share a KV head; of more than queries_per_item,
    // the work is one that no kernel of ours does. Throws if plan and work together do not fit into `capacity` words.
    static void append(int32_t * words, int64_t capacity, int heads_per_kv, int kv_heads) {
        TreeWork work(PlanView(words), heads_per_kv);
        // Longer runs leave fewer partial results, shorter ones occupy more multiprocessors.
        constexpr int shortest = 2 * cells_per_step, longest = 16 * cells_per_step, most_blocks = 4096;
        for (int run = shortest; run <= longest; run *= 2) {
            work.by_segment(run);
            if (work.fits() && static_cast<int>(work.items_.size()) * kv_heads <= most_blocks) break;
        }
        for (int run = shortest; !work.fits(); run *= 2) work.by_rows(run);
        work.write(words, capacity);
    }

private:
    // Visits on their way into an item.
    struct Open {
        int rows_at_most;
        int begin = 0, end = 0;
        std::vector<WorkVisit> visits = {};
    };

    TreeWork(const PlanView & plan, int heads_per_kv)
        : plan_(plan),
          rows_(plan.header().rows),
          rows_per_item_(std::max(1, queries_per_item / heads_per_kv)),
          rows_per_small_item_(std::max(1, queries_per_small_item / heads_per_kv)),
          segments_(plan.begin(), plan.end()) {
        // Parents before their children, a subtree in one piece.
        std::stable_sort(segments_.begin(), segments_.end(), [](const TreeSegment & a, const TreeSegment & b) {
            return a.first_row != b.first_row ? a.first_row < b.first_row : a.rows > b.rows;
        });
    }

    bool fits() const { return slots_ <= slot_capacity(rows_); }

    void start_over() {
        items_.clear();
        visits_.clear();
        slots_ = 0;
    }

    // Who sees a segment's cells. The rows of a prompt see leading parts of it; runs of them are visits of their own.
    void read(const TreeSegment & segment, std::vector<WorkVisit> & to) const {
        const int32_t * cells = plan_.cells(segment);
        const int32_t first = segment.first_row, rows = segment.rows;
        const int32_t * counts = segment.first_count < 0 ? nullptr : plan_.counts(segment);
        const int32_t seen_by_all = counts ? *std::min_element(counts, counts + rows) : segment.cells;
        for (int c = 0; c < seen_by_all; ++c) to.push_back(visit(cells[c], first, first + rows));
        for (int c = seen_by_all; c < segment.cells; ++c) {
            for (int begin = 0, end; begin < rows; begin = end) {
                end = begin + 1;
                if (counts[begin] <= c) continue;
                while (end < rows && counts[end] > c) ++end;
                to.push_back(visit(cells[c], first + begin, first + end));
            }
        }
    }

    static WorkVisit visit(int32_t cell, int begin, int end) {
        return {cell, static_cast<uint16_t>(begin), static_cast<uint16_t>(end)};
    }

    void add_item(int first_row, int rows, int first_visit, int visits) {
        items_.push_back({first_row, rows, first_visit, visits, slots_});
        slots_ += rows;
    }

    void by_segment(int run) {
        start_over();
        Open small{rows_per_small_item_}, large{rows_per_item_};
        std::vector<WorkVisit> visits;
        for (const TreeSegment & segment : segments_) {
            visits.clear();
            read(segment, visits);
            if (segment.rows > rows_per_item_) {
                share(segment.first_row, segment.rows, visits, run);
            } else {
                pack(segment.rows <= rows_per_small_item_ ? small : large, segment.first_row, segment.rows, visits,
                     run);
            }
        }
        close(small);
        close(large);
    }

    // For a forest of very many wide and short segments: every row meets the cells from the first it sees to the last.
    void by_rows(int run) {
        start_over();
        std::vector<WorkVisit> visits;
        for (const TreeSegment & segment : segments_) read(segment, visits);
        share(0, rows_, visits, run);
    }

    // A wide segment: its visits are listed once, for all its tiles of rows. A causal one has no use for them all.
    void share(int first_row, int rows, const std::vector<WorkVisit> & visits, int run) {
        const int base = static_cast<int>(visits_.size());
        visits_.insert(visits_.end(), visits.begin(), visits.end());
        for (int begin = first_row; begin < first_row + rows; begin += rows_per_item_) {
            const int end = std::min(first_row + rows, begin + rows_per_item_);
            const auto seen = [&](const WorkVisit & v) { return v.begin < end && v.end > begin; };
            const auto from = std::find_if(visits.begin(), visits.end(), seen);
            const auto to = std::find_if(visits.rbegin(), std::make_reverse_iterator(from), seen).base();
            const int first = static_cast<int>(from - visits.begin()), last = static_cast<int>(to - visits.begin());
            for (int v = first; v < last; v += run) add_item(begin, end - begin, base + v, std::min(run, last - v));
        }
    }

    // A narrow segment: in one item with its neighbours, as long as those need no more rows or cells.
    void pack(Open & open, int first_row, int rows, const std::vector<WorkVisit> & visits, int run) {
        const int begin = open.visits.empty() ? first_row : std::min(open.begin, first_row);
        const int end = open.visits.empty() ? first_row + rows : std::max(open.end, first_row + rows);
        if (end - begin > open.rows_at_most) close(open);
        for (const WorkVisit & visit : visits) {
            if (static_cast<int>(open.visits.size()) == run) close(open);
            if (open.visits.empty()) {
                open.begin = first_row;
                open.end = first_row + rows;
            }
            open.begin = std::min(open.begin, first_row);
            open.end = std::max(open.end, first_row + rows);
            open.visits.push_back(visit);
        }
    }

    void close(Open & open) {
        if (open.visits.empty()) return;
        const int first = static_cast<int>(visits_.size());
        visits_.insert(visits_.end(), open.visits.begin(), open.visits.end());
        add_item(open.begin, open.end - open.begin, first, static_cast<int>(open.visits.size()));
        open.visits.clear();
    }

    void write(int32_t * words, int64_t capacity) const {
        const auto words_of = [](const auto & list) {
            return static_cast<int32_t>(list.size() * sizeof(list[0]) / sizeof(int32_t));
        };
        std::vector<int32_t> row_slots(static_cast<size_t>(rows_) + 1, 0), item_slots;
        for (const WorkItem & item : items_) {
            for (int r = 0; r < item.rows; ++r) ++row_slots[static_cast<size_t>(item.first_row + r + 1)];
        }
        for (size_t r = 1; r < row_slots.size(); ++r) row_slots[r] += row_slots[r - 1];
        std::vector<int32_t> next(row_slots.begin(), row_slots.end() - 1);
        for (const WorkItem & item : items_) {
            for (int r = 0; r < item.rows; ++r) item_slots.push_back(next[static_cast<size_t>(item.first_row + r)]++);
        }

        auto & plan = *reinterpret_cast<PlanHeader *>(words);
        plan.work_at = plan.cells_at + plan.cells;
        WorkHeader header{};
        header.items = static_cast<int32_t>(items_.size());
        header.slots = slots_;
        header.items_at = sizeof header / sizeof(int32_t);
        header.visits_at = header.items_at + words_of(items_);
        header.item_slots_at = header.visits_at + words_of(visits_);
        header.row_slots_at = header.item_slots_at + words_of(item_slots);
        int32_t * work = words + plan.work_at;
        if (plan.work_at + header.row_slots_at + words_of(row_slots) > capacity) {
            throw std::runtime_error("the work of a plan of attention is larger than its tensor");
        }
        *reinterpret_cast<WorkHeader *>(work) = header;
        std::copy(items_.begin(), items_.end(), reinterpret_cast<WorkItem *>(work + header.items_at));
        std::copy(visits_.begin(), visits_.end(), reinterpret_cast<WorkVisit *>(work + header.visits_at));
        std::copy(item_slots.begin(), item_slots.end(), work + header.item_slots_at);
        std::copy(row_slots.begin(), row_slots.end(), work + header.row_slots_at);
    }

    PlanView plan_;
    int rows_, rows_per_item_, rows_per_small_item_;
    std::vector<TreeSegment> segments_;
    std::vector<WorkItem> items_;
    std::vector<WorkVisit> visits_;
    int slots_ = INT_MAX;
};

}  // namespace thinktree
