// Owns: what each row of a batch sees of a KV cache, as lists instead of a dense mask. Must not know: attention,
// llama.cpp's types, where rows come from. Thread: whoever decodes. C++17, since llama.cpp includes it.
//
// A *segment* is a set of cells that the same rows see. In a tree these are its nodes, cut at the batch: the prompt is
// seen by all rows, a branch's own cells by its row. The segments of one row are its path:
//
//      prompt ────┬── beam 1 ──┬── branch          rows 0 1 2 3    prompt
//                 │            └── branch          rows 0 1        beam 1
//                 └── beam 2 ──┬── branch          row  0          branch ...
//
// So each cell is listed once, whatever the number of rows. The words of a plan (int32) lie where llama.cpp would have
// put the mask, and go to the device as the mask would:
//
//      header     magic, rows, segments, cells, and the offsets of the arrays
//      order      batch row of each plan row: in this order the rows of every segment are neighbours
//      segments   first plan row, rows, first cell, cells, first count or -1
//      counts     of a segment's rows, where some do not see all of it: how many of its cells, which are then sorted
//                 by position, each sees
//      cells      indices of KV cells
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace thinktree {

constexpr int32_t plan_magic = 0x54524545;  // "TREE"
constexpr size_t max_sequences = 256;
using Sequences = std::bitset<max_sequences>;

struct TreeSegment {
    int32_t first_row, rows;
    int32_t first_cell, cells;
    int32_t first_count;
};

struct PlanHeader {
    int32_t magic, rows, segments, cells;
    int32_t order_at, segments_at, counts_at, cells_at;
    int32_t work_at;  // what a GPU is to do (cuda/tree_work.h); 0: nobody has cut the plan into work
};

// A plan as its readers see it.
class PlanView {
public:
    explicit PlanView(const void * words) : words_(static_cast<const int32_t *>(words)) {}

    const PlanHeader & header() const { return *reinterpret_cast<const PlanHeader *>(words_); }
    const int32_t * order() const { return words_ + header().order_at; }
    const TreeSegment * begin() const { return reinterpret_cast<const TreeSegment *>(words_ + header().segments_at); }
    const TreeSegment * end() const { return begin() + header().segments; }
    const int32_t * counts(const TreeSegment & s) const { return words_ + header().counts_at + s.first_count; }
    const int32_t * cells_end() const { return words_ + header().cells_at + header().cells; }
    const int32_t * cells(const TreeSegment & s) const { return words_ + header().cells_at + s.first_cell; }

private:
    const int32_t * words_;
};

// Words that suffice for the plan of so many rows over so many cells. The sets of a tree are nested or apart, so there
// are fewer than twice as many segments as sequences; and a row that does not see all of a segment has been decoded
// after cells of the very same batch, which are in one segment of its path.
constexpr int64_t plan_words(int64_t rows, int64_t cells) {
    return sizeof(PlanHeader) / sizeof(int32_t) + cells + 2 * rows +
           2 * max_sequences * sizeof(TreeSegment) / sizeof(int32_t);
}

// Cells that a graph is made for when so many are in use: a graph serves as long as this stays the same, and attention
// by a plan costs no more for cells that nobody sees.
inline uint32_t cells_of_graph(uint32_t used) {
    uint32_t step = 256;
    while (8 * step < used) step *= 2;
    return (used + step - 1) / step * step;
}

struct PlanRow {
    int32_t sequence;
    int32_t position;
};

class TreePlanner {
public:
    // `positions` and `sequences` describe the cells; a position below 0 says that the cell is empty. Throws if the
    // plan does not fit into `capacity` words.
    void plan(const int32_t * positions, const Sequences * sequences, int32_t cells, const std::vector<PlanRow> & rows,
              int32_t * words, int64_t capacity) {
        sort_cells(positions, sequences, cells, rows);
        sort_rows(rows);
        write(positions, rows, words, capacity);
    }

private:
    struct Group {
        Sequences seen_by;
        int32_t first = 0, cells = 0;  // in cells_
        int32_t last_position = -1;
    };
    static constexpr int32_t nobody = -1;

    // Cells by the set of the batch's sequences that have them.
    void sort_cells(const int32_t * positions, const Sequences * sequences, int32_t cells,
                    const std::vector<PlanRow> & rows) {
        Sequences in_batch;
        for (const PlanRow & row : rows) in_batch.set(static_cast<size_t>(row.sequence));
        groups_.clear();
        std::fill(slots_.begin(), slots_.end(), nobody);
        group_of_.resize(static_cast<size_t>(cells));
        Sequences last_set;
        int32_t last_group = nobody;
        for (int32_t cell = 0; cell < cells; ++cell) {
            int32_t & group = group_of_[static_cast<size_t>(cell)];
            group = nobody;
            if (positions[cell] < 0) continue;
            const Sequences seen_by = sequences[cell] & in_batch;
            if (seen_by != last_set) {
                last_set = seen_by;
                last_group = seen_by.none() ? nobody : group_of(seen_by);
            }
            group = last_group;
            if (group == nobody) continue;
            Group & g = groups_[static_cast<size_t>(group)];
            ++g.cells;
            g.last_position = std::max(g.last_position, positions[cell]);
        }
        int32_t at = 0;
        for (Group & g : groups_) at = (g.first = at) + g.cells;
        cells_.resize(static_cast<size_t>(at));
        next_.clear();
        for (const Group & g : groups_) next_.push_back(g.first);
        for (int32_t cell = 0; cell < cells; ++cell) {
            const int32_t group = group_of_[static_cast<size_t>(cell)];
            if (group != nobody) cells_[static_cast<size_t>(next_[static_cast<size_t>(group)]++)] = cell;
        }
    }

    // Called for nearly every cell, since branches that are decoded together take turns in the cache: a hash table with
    // linear probing costs a few nanoseconds.
    int32_t group_of(const Sequences & seen_by) {
        for (size_t at = std::hash<Sequences>()(seen_by);; ++at) {
            int32_t & slot = slots_[at & (slots_.size() - 1)];
            if (slot == nobody) {
                slot = static_cast<int32_t>(groups_.size());
                groups_.push_back(Group{seen_by});
                if (2 * groups_.size() > slots_.size()) rehash();
                return static_cast<int32_t>(groups_.size()) - 1;
            }
            if (groups_[static_cast<size_t>(slot)].seen_by == seen_by) return slot;
        }
    }

    void rehash() {
        slots_.assign(2 * slots_.size(), nobody);
        for (size_t g = 0; g < groups_.size(); ++g) {
            size_t at = std::hash<Sequences>()(groups_[g].seen_by);
            while (slots_[at & (slots_.size() - 1)] != nobody) ++at;
            slots_[at & (slots_.size() - 1)] = static_cast<int32_t>(g);
        }
    }

    // The sets of a tree's nodes are nested or apart. Taken from the largest to the smallest, each can be brought
    // together without tearing one apart that was before it.
    void sort_rows(const std::vector<PlanRow> & rows) {
        std::array<int32_t, max_sequences> place;
        std::iota(place.begin(), place.end(), 0);
        std::vector<int32_t> sequences(place.begin(), place.end());
        by_size_.resize(groups_.size());
        std::iota(by_size_.begin(), by_size_.end(), 0);
        const auto size_of = [&](int32_t g) { return groups_[static_cast<size_t>(g)].seen_by.count(); };
        std::stable_sort(by_size_.begin(), by_size_.end(),
                         [&](int32_t a, int32_t b) { return size_of(a) > size_of(b); });
        for (const int32_t g : by_size_) {
            const Sequences & set = groups_[static_cast<size_t>(g)].seen_by;
            if (set.count() < 2) break;
            const auto in_set = [&](int32_t s) { return set.test(static_cast<size_t>(s)); };
            const auto first = std::find_if(sequences.begin(), sequences.end(), in_set);
            std::stable_partition(first, sequences.end(), in_set);
        }
        for (size_t i = 0; i < sequences.size(); ++i)
            place[static_cast<size_t>(sequences[i])] = static_cast<int32_t>(i);
        order_.resize(rows.size());
        std::iota(order_.begin(), order_.end(), 0);
        const auto rank = [&](int32_t r) { return place[static_cast<size_t>(rows[static_cast<size_t>(r)].sequence)]; };
        std::stable_sort(order_.begin(), order_.end(), [&](int32_t a, int32_t b) { return rank(a) < rank(b); });
    }

    void write(const int32_t * positions, const std::vector<PlanRow> & rows, int32_t * words, int64_t capacity) {
        segments_.clear();
        counts_.clear();
        for (const int32_t g : by_size_) {
            const Group & group = groups_[static_cast<size_t>(g)];
            const auto sees = [&](size_t i) { return group.seen_by.test(static_cast<size_t>(at(rows, i).sequence)); };
            for (size_t begin = 0, end; begin < order_.size(); begin = end) {
                end = begin + 1;
                if (!sees(begin)) continue;
                while (end < order_.size() && sees(end)) ++end;
                segments_.push_back({static_cast<int32_t>(begin), static_cast<int32_t>(end - begin), group.first,
                                     group.cells, count_seen(positions, rows, group, begin, end)});
            }
        }
        PlanHeader header{};
        header.magic = plan_magic;
        header.rows = static_cast<int32_t>(rows.size());
        header.segments = static_cast<int32_t>(segments_.size());
        header.cells = static_cast<int32_t>(cells_.size());
        header.order_at = sizeof(PlanHeader) / sizeof(int32_t);
        header.segments_at = header.order_at + header.rows;
        header.counts_at =
            header.segments_at + header.segments * static_cast<int32_t>(sizeof(TreeSegment) / sizeof(int32_t));
        header.cells_at = header.counts_at + static_cast<int32_t>(counts_.size());
        if (header.cells_at + static_cast<int64_t>(cells_.size()) > capacity) {
            throw std::runtime_error("a plan of attention is larger than its tensor");
        }
        *reinterpret_cast<PlanHeader *>(words) = header;
        std::copy(order_.begin(), order_.end(), words + header.order_at);
        std::copy(segments_.begin(), segments_.end(), reinterpret_cast<TreeSegment *>(words + header.segments_at));
        std::copy(counts_.begin(), counts_.end(), words + header.counts_at);
        std::copy(cells_.begin(), cells_.end(), words + header.cells_at);
    }

    // Where the counts of the plan rows [begin, end) begin; -1 if each of them sees the whole group.
    int32_t count_seen(const int32_t * positions, const std::vector<PlanRow> & rows, const Group & group, size_t begin,
                       size_t end) {
        bool whole = true;
        for (size_t i = begin; i < end; ++i) whole = whole && at(rows, i).position >= group.last_position;
        if (whole) return -1;
        const auto first = cells_.begin() + group.first;
        const auto last = first + group.cells;
        const auto earlier = [&](int32_t a, int32_t b) { return positions[a] < positions[b]; };
        if (!std::is_sorted(first, last, earlier)) std::stable_sort(first, last, earlier);
        const auto first_count = static_cast<int32_t>(counts_.size());
        for (size_t i = begin; i < end; ++i) {
            const auto beyond =
                std::upper_bound(first, last, at(rows, i).position,
                                 [&](int32_t position, int32_t cell) { return position < positions[cell]; });
            counts_.push_back(static_cast<int32_t>(beyond - first));
        }
        return first_count;
    }

    const PlanRow & at(const std::vector<PlanRow> & rows, size_t plan_row) const {
        return rows[static_cast<size_t>(order_[plan_row])];
    }

    std::vector<Group> groups_;
    std::vector<int32_t> slots_ = std::vector<int32_t>(1024, nobody);  // of the hash table: groups
    std::vector<int32_t> group_of_;                                    // of each cell
    std::vector<int32_t> next_;
    std::vector<int32_t> cells_;  // by group
    std::vector<int32_t> by_size_;
    std::vector<int32_t> order_;
    std::vector<TreeSegment> segments_;
    std::vector<int32_t> counts_;
};

}  // namespace thinktree
