/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The formats of lists that are not AdGuard's: each looks whether a line is its own. Called by listparse.c, in the
 * order in which it says so. */
#pragma once

#include "filter/listtext.h"

/* hosts(5): @names stand behind @addr; comments are cut off here. listparse_hosts.c */
void list_parse_hosts(const struct list_parser *p, struct text line, const struct ip_addr *addr, bool scoped,
		      struct text names, struct list_line *l);
/* A name of the preamble of hosts files ("localhost"), or an address. */
bool list_is_preamble(struct text name);

/* dnsmasq and unbound. False: it is a line of neither. listparse_resolver.c */
bool list_parse_resolver(struct list_parser *p, struct text t, struct list_line *l);

/* Zone files: RPZ. @raw with the blanks at its begin, which mean something. False: it is no line of a zone.
 * listparse_zone.c */
bool list_parse_zone(struct list_parser *p, struct text raw, struct list_line *l);

/* Pi-hole: a regular expression without slashes. False: it is none. listparse_pihole.c */
bool list_parse_pihole(const struct list_parser *p, struct text t, struct list_line *l);
