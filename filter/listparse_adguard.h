/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Network rules of AdGuard's DNS filtering syntax: [@@] pattern [$modifier[,modifier…]]. Called by listparse.c; in
 * three files: the pattern (listparse_adguard.c), modifiers (listparse_modifiers.c), $dnsrewrite (listparse_rewrite.c).
 */
#pragma once

#include "filter/listtext.h"

/* What begins like one whatever may stand behind it, and like a line of no other format. */
bool list_is_adguard(struct text t);
/* Everything that is a pattern; @t may have blanks in its modifiers' values. */
void list_parse_adguard(const struct list_parser *p, struct text t, struct list_line *l);

/* What a rule's modifiers say beside its terms. */
struct adguard_modifiers {
	uint32_t seen;	/* a bit for each of the table in listparse_modifiers.c */
	uint8_t n;	/* but for $important and $badfilter */
	bool exception; /* "@@" stands before the pattern: set by the caller */
	bool important;
	bool badfilter;
	bool limited; /* $client, $ctag, $denyallow or $dnstype: it may be about every name */
	bool denyallow;
	bool rewrite;	/* $dnsrewrite */
	bool redirects; /* with an answer that leads somewhere */
};

/* @mods: what stands behind the "$". Terms are written to @l. False: the line is over. */
bool adguard_modifiers_read(struct text mods, struct adguard_modifiers *m, struct list_line *l);
/* The value of $dnsrewrite, not empty. NULL, or why it is refused. */
const char *adguard_rewrite_read(struct text value, struct list_terms *terms, bool *ret_redirects);

/* The next piece of *rest up to an unescaped @sep; *rest.s is NULL behind the last one. */
struct text adguard_piece_take(struct text *rest, char sep);
/* Without the backslashes before characters of @which, to @buf, which holds t.len bytes. */
struct text adguard_unescape(struct text t, const char *which, char *buf);
