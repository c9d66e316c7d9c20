#include "endpoint/route_tree.h"

#include "base/allocator.h"
#include "http/path.h"

#include <string.h>

static bool is_filled(const weft__route_place *place)
{
    return place->upgrade || place->plain;
}

/* Where the literal stands among those of `node`, or would stand. */
static size_t literal_index(const weft__route_node *node, weft_string segment, bool *is_there)
{
    size_t low = 0, high = node->literal_count;
    *is_there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const weft__route_node *other = node->literals[middle];
        int order = weft__path_compare(segment, (weft_string){other->text, other->length});
        if (order == 0) {
            *is_there = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static weft__route_node *find_literal(const weft__route_node *node, weft_string segment)
{
    bool is_there;
    size_t index = literal_index(node, segment, &is_there);
    return is_there ? node->literals[index] : NULL;
}

/* -- making places ------------------------------------------------------------------------------- */

static weft__route_node *new_node(weft__route_node *parent, weft_string literal)
{
    weft__route_node *node = weft__alloc_zeroed(sizeof *node + literal.length);
    if (!node) return NULL;
    node->parent = parent;
    node->text = (char *)(node + 1);
    node->length = weft__path_decode(node->text, literal);
    return node;
}

static bool has_room_for_literal(weft__route_node *node)
{
    if (node->literal_count < node->literal_capacity) return true;
    size_t capacity = node->literal_capacity ? node->literal_capacity * 2 : 4;
    weft__route_node **grown = weft__realloc(node->literals, capacity * sizeof *grown);
    if (!grown) return false;
    node->literals = grown;
    node->literal_capacity = capacity;
    return true;
}

static weft__route_node *open_literal(weft__route_node *node, weft_string segment)
{
    bool is_there;
    size_t index = literal_index(node, segment, &is_there);
    if (is_there) return node->literals[index];
    weft__route_node *child = has_room_for_literal(node) ? new_node(node, segment) : NULL;
    if (!child) return NULL;
    memmove(node->literals + index + 1, node->literals + index,
            (node->literal_count - index) * sizeof *node->literals);
    node->literals[index] = child;
    node->literal_count++;
    return child;
}

static weft__route_node *open_child(weft__route_node *node, weft__route_node **child)
{
    if (!*child) *child = new_node(node, (weft_string){0});
    return *child;
}

static bool is_needed(const weft__route_node *node)
{
    return is_filled(&node->place) || node->literal_count || node->parameter || node->rest;
}

static void remove_child(weft__route_node *parent, weft__route_node *child)
{
    if (parent->parameter == child) {
        parent->parameter = NULL;
    } else if (parent->rest == child) {
        parent->rest = NULL;
    } else {
        size_t index = 0;
        while (parent->literals[index] != child)
            index++;
        parent->literal_count--;
        memmove(parent->literals + index, parent->literals + index + 1,
                (parent->literal_count - index) * sizeof *parent->literals);
    }
}

static void prune(weft__route_node *node)
{
    while (!is_needed(node)) {
        weft__route_node *parent = node->parent;
        weft__free(node->literals);
        node->literals = NULL;
        node->literal_capacity = 0;
        if (!parent) return; /* the root stays */
        remove_child(parent, node);
        weft__free(node);
        node = parent;
    }
}

void weft__route_tree_prune(weft__route_place *place)
{
    prune(WEFT__CONTAINER(place, weft__route_node, place));
}

weft_status weft__route_tree_open(weft__route_tree *tree, weft_string pattern, weft__route_place **out)
{
    weft__route_node *node = &tree->root;
    weft_string segment, name;
    *out = NULL;
    while (weft__path_next(&pattern, &segment)) {
        weft__route_node *child = NULL;
        switch (weft__pattern_segment(segment, &name)) {
        case WEFT__PATTERN_LITERAL: child = open_literal(node, segment); break;
        case WEFT__PATTERN_PARAMETER: child = open_child(node, &node->parameter); break;
        case WEFT__PATTERN_REST: child = open_child(node, &node->rest); break;
        }
        if (!child) {
            prune(node);
            return WEFT_ENOMEM;
        }
        node = child;
    }
    *out = &node->place;
    return WEFT_OK;
}

/* -- finding them -------------------------------------------------------------------------------- */

weft__route_place *weft__route_tree_find(weft__route_tree *tree, weft_string pattern)
{
    weft__route_node *node = &tree->root;
    weft_string segment, name;
    while (node && weft__path_next(&pattern, &segment)) {
        switch (weft__pattern_segment(segment, &name)) {
        case WEFT__PATTERN_LITERAL: node = find_literal(node, segment); break;
        case WEFT__PATTERN_PARAMETER: node = node->parameter; break;
        case WEFT__PATTERN_REST: node = node->rest; break;
        }
    }
    return node ? &node->place : NULL;
}

static weft__route_place *filled(weft__route_node *node)
{
    return node && is_filled(&node->place) ? &node->place : NULL;
}

/* Recursion goes as deep as the patterns of the program, not as the path of a peer. */
static weft__route_place *match(weft__route_node *node, weft_string path)
{
    weft_string segment;
    if (!weft__path_next(&path, &segment)) return filled(node);
    weft__route_node *literal = find_literal(node, segment);
    weft__route_place *found = literal ? match(literal, path) : NULL;
    if (!found && node->parameter && segment.length) found = match(node->parameter, path);
    return found ? found : filled(node->rest);
}

weft__route_place *weft__route_tree_match(weft__route_tree *tree, weft_string path)
{
    return match(&tree->root, path);
}
