/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the commands that read the recorder's journal have in common: where it is, its key, times and texts. */
#pragma once

#include "base/err.h"
#include "recorder/rows.h"

#include <cjson/cJSON.h>

#define JOURNAL_DIR_DEFAULT "/var/lib/sluice/journal"
#define JOURNAL_FOLLOW_US   200000u
#define JOURNAL_TIME_MAX    40

/* The journal's folder: beside the rest of the gateway's state, by its settings; where there are none, the usual place.
 * *ret is @buf or a constant. 0 or negative (said). */
int journal_find(const char *config, char *buf, size_t room, const char **ret);
/* The private key of a sealed journal. */
int journal_key_read(const char *path, struct journal_unsealer *u, struct err *e);
/* "30m", "12h", "7d": so long ago; seconds since 1970; "2026-11-21T10:00:00Z". In microseconds of CLOCK_REALTIME. */
int journal_time_parse(const char *text, uint64_t *ret);

const char *journal_time_print(uint64_t us, char buf[JOURNAL_TIME_MAX]);
const char *journal_addr_print(const struct ip_addr *a, char buf[IP_TEXT_MAX]); /* "-": none; "p-…": a pseudonym */
/* Terminated; bytes that a terminal would act upon become '?'; "-" where it is empty. */
const char *journal_text_print(struct flow_text t, char buf[FLOW_TEXT_MAX + 1]);
void journal_gap_print(const struct row *row);

/* null where it is empty. */
void journal_add_text(cJSON *j, const char *name, struct flow_text t);
void journal_add_time(cJSON *j, const char *name, uint64_t us);
void journal_add_gap(cJSON *j, const struct row *row);
void journal_json_print(cJSON *j); /* a line; @j is freed */

bool journal_text_equal(struct flow_text t, const char *s);
/* @t is @name, or below it. */
bool journal_name_below(struct flow_text t, const char *name);
