/* The input is path patterns, one a line, and then a path: the tree finds what comparing it with each pattern
 * does, and is empty when all are gone. */
#include "endpoint/route_tree.h"
#include "http/fields.h"
#include "http/path.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST = 32,
    LONGEST = 64
};

/* How a pattern takes the path, a letter for each segment, so that the better way sorts first; false when it
 * does not. */
static bool takes(weft_string pattern, weft_string path, char *way)
{
    weft_string part, segment, name;
    while (weft__path_next(&pattern, &part)) {
        if (!weft__path_next(&path, &segment)) return false;
        weft__pattern_kind kind = weft__pattern_segment(part, &name);
        char decoded[LONGEST];
        size_t length = weft__path_decode(decoded, part);
        bool is_same = weft__path_compare(segment, (weft_string){decoded, length}) == 0;
        if (kind == WEFT__PATTERN_LITERAL && !is_same) return false;
        if (kind == WEFT__PATTERN_PARAMETER && segment.length == 0) return false;
        *way++ = (char)('a' + kind);
        *way = '\0';
        if (kind == WEFT__PATTERN_REST) return true;
    }
    return path.length == 0;
}

static weft_string next_line(weft_string *input)
{
    const char *end = input->length ? memchr(input->bytes, '\n', input->length) : NULL;
    size_t length = end ? (size_t)(end - input->bytes) : input->length;
    weft_string line = {input->bytes, length};
    size_t used = end ? length + 1 : length;
    *input = (weft_string){input->bytes + used, input->length - used};
    return line;
}

static const void *best(const weft_string *patterns, size_t count, weft_string path)
{
    char way[LONGEST + 1] = "", best_way[LONGEST + 1] = "";
    const void *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!takes(patterns[i], path, way) || (found && strcmp(way, best_way) >= 0)) continue;
        memcpy(best_way, way, sizeof way);
        found = patterns[i].bytes;
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft_string input = {(const char *)data, size}, line = {0}, patterns[MOST];
    weft__route_tree tree = {0};
    weft__route_place *place;
    size_t count = 0;
    while (input.length > 0) {
        line = next_line(&input);
        bool is_pattern = input.length && count < MOST && line.length < LONGEST;
        if (!is_pattern || weft__pattern_problem(line) || line.bytes[0] == '*') continue;
        if (weft__route_tree_open(&tree, line, &place) != WEFT_OK) abort();
        if (place->upgrade) continue;
        place->upgrade = (struct weft__attached_route *)(void *)(char *)line.bytes;
        patterns[count++] = line;
    }
    if (line.length && line.bytes[0] == '/' && weft__path_is_well_formed(line)) {
        place = weft__route_tree_match(&tree, line);
        if ((place ? (const void *)place->upgrade : NULL) != best(patterns, count, line)) abort();
    }
    while (count > 0) {
        place = weft__route_tree_find(&tree, patterns[--count]);
        if (!place || (const void *)place->upgrade != patterns[count].bytes) abort();
        place->upgrade = NULL;
        weft__route_tree_prune(place);
    }
    if (tree.root.literals || tree.root.parameter || tree.root.rest) abort();
    return 0;
}
