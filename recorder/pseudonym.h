/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keyed stand-ins for names and addresses, and the ids of flows: the same input gives the same output as long as the
 * key file in the journal's directory is the same. */
#pragma once

#include "base/err.h"
#include "recorder/ctevent.h"
#include "recorder/flow.h"

#define PSEUDONYM_KEY_FILE "pseudonym.key"
#define PSEUDONYM_KEY_LEN  32u
#define PSEUDONYM_TEXT_MAX 20u /* "p-", sixteen hex digits, the end */

struct pseudonym {
	uint8_t key[PSEUDONYM_KEY_LEN];
};

/* Read the key, or draw one and write it (mode 0600). @ret_new (may be NULL): it was drawn. */
int pseudonym_init(struct pseudonym *p, int dir_fd, bool *ret_new, struct err *e);
void pseudonym_done(struct pseudonym *p); /* wipe */

void pseudonym_name(const struct pseudonym *p, const char *name, char ret[PSEUDONYM_TEXT_MAX]);
/* Family FLOW_ADDR_PSEUDONYM. */
struct ip_addr pseudonym_addr(const struct pseudonym *p, const struct ip_addr *a);
uint64_t pseudonym_flow_id(const struct pseudonym *p, const struct flow_event *ev);
