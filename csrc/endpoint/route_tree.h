#ifndef WEFT_ENDPOINT_ROUTE_TREE_H
#define WEFT_ENDPOINT_ROUTE_TREE_H

#include "base/list.h"
#include "weft/status.h"

struct weft__attached_route;

/** What lives at a place: a WebSocket service and an HTTP service do not exclude each other. */
typedef struct weft__route_place {
    struct weft__attached_route *upgrade;
    struct weft__attached_route *plain;
} weft__route_place;

typedef struct weft__route_node weft__route_node;

/** A node for each segment of the patterns. */
struct weft__route_node {
    weft__route_place place; /**< Of the patterns that end here. */
    weft__route_node *parent;
    weft__route_node **literals; /**< In the order of their text. */
    size_t literal_count;
    size_t literal_capacity;
    weft__route_node *parameter;
    weft__route_node *rest;
    size_t length;
    char *text; /**< Of a literal, decoded; a part of the node's block. */
};

/** Places by path pattern. All zero is the empty tree. Not safe for threads. */
typedef struct weft__route_tree {
    weft__route_node root;
} weft__route_tree;

/** Makes the place of a pattern without problems, or finds the one of the same shape. WEFT_ENOMEM changes
 *  nothing. */
weft_status weft__route_tree_open(weft__route_tree *tree, weft_string pattern, weft__route_place **out);

/** The place of a pattern of that shape, or NULL. */
weft__route_place *weft__route_tree_find(weft__route_tree *tree, weft_string pattern);

/** Gives back the nodes that only an empty place needed. */
void weft__route_tree_prune(weft__route_place *place);

/**
 * The filled place that takes a well-formed path, or NULL. Segment by segment a literal goes before a
 * parameter and that before a rest; where the better way leads nowhere, the next one is tried. Visits each
 * node at most once and allocates nothing.
 */
weft__route_place *weft__route_tree_match(weft__route_tree *tree, weft_string path);

#endif
