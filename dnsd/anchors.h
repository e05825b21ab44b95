/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Trust anchors of the root zone as text: what an operator or a package gives (DS and DNSKEY records, a line each), and
 * what libunbound keeps by RFC 5011 (the same with a state in each line's comment). */
#pragma once

#include "base/err.h"

#define ANCHORS_MAX	32u	    /* records of one file: a roll-over has two or three */
#define ANCHOR_FILE_MAX (64u << 10) /* bytes of one file: a record of 4,096 bits takes 800 */

struct anchors {
	char *text; /* those that are trusted, sorted, a record a line, for libunbound's trust-anchor; owned */
	uint32_t n, n_pending;	 /* trusted; seen, and not trusted before the hold-down is over */
	uint64_t next_probe_s;	 /* CLOCK_REALTIME; 0 = the file does not say: never asked */
	uint64_t last_success_s; /* the same */
};

/* @name: of the file, for messages. -EBADMSG with file, line and reason: a line that is no DS or DNSKEY record of the
 * root, a revoked key, or no trusted key at all. @ret is filled only with 0; give it back with anchors_done(). */
int anchors_read(const char *name, const char *text, size_t len, struct anchors *ret, struct err *e);
/* The same of a file; as text_file_read() when it cannot be read. */
int anchors_read_file(const char *path, struct anchors *ret, struct err *e);
void anchors_done(struct anchors *a);
