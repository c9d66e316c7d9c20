/* Fetches what a listener sends along about its own certificates. */
#ifndef WEFT_ENDPOINT_STAPLER_H
#define WEFT_ENDPOINT_STAPLER_H

#include "endpoint/site.h"
#include "tls/settings.h"

/** Fetches what is due, one answer after the other, while nobody waits. Failures are warnings of the
 *  listener. Inside a turn of the site's loop. */
void weft__stapler_refresh(weft__site *site, weft_tls *tls);

/** Nothing more is fetched for the site, and nothing told. */
void weft__stapler_cancel(weft__site *site);

#endif
