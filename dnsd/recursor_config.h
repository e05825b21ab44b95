/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a route means to libunbound. */
#pragma once

#include "filter/view.h"

struct dot;

/* The text that libunbound is to read. @dot: relays for upstreams with TLS, which are added to it; NULL: upstreams are
 * written as what they are. @ret: returned, free(). -EBADMSG, -ENOMEM, -E2BIG. */
int recursor_config_write(const struct route *route, struct dot *dot, char **ret, struct err *e);
bool recursor_uses_tls(const struct route *route);
/* Whether its answers are meant to be validated: a resolver from the root, or forwarders with "dnssec". */
bool recursor_should_validate(const struct route *route);
/* Whether they are: there are trust anchors, too. */
bool recursor_validates(const struct route *route);
/* A name as libunbound takes it, absolute. @size: DNAME_TEXT_MAX + 1 holds all. 0 or -E2BIG. */
int recursor_name(const struct dname *name, char *ret, size_t size);
