/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What became of a list's lines, class by class: `sluice list-compile --report`. */
#pragma once

#include "filter/listparse.h"

#include <cjson/cJSON.h>

struct list_report;

struct list_report *list_report_new(void);		     /* NULL when out of memory */
struct list_report *list_report_free(struct list_report *r); /* NULL is fine; returns NULL */
void list_report_line(struct list_report *r, uint32_t line, const struct list_line *l);
/* Read the first line of each class that was not applied out of the list again, as its example. @file: one that can be
 * opened anew; what cannot be has no examples. */
void list_report_examples(struct list_report *r, const char *file);
/* One class a line, in the order in which they came. */
void list_report_print(const struct list_report *r, FILE *f);
/* [{"outcome","what","n","line","example"}]; NULL when out of memory. */
cJSON *list_report_json(const struct list_report *r);
