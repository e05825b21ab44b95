/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A rule of a list as filter/listrule.h has it, whatever format could say it. */
#pragma once

#include "filter/listrule.h"
#include "script.h"

/* A line of "list" that begins with "= ", of the language in README.md. Its terms are in @terms. Ends the program when
 * it is none. */
void rule_read(const struct step *s, const struct script_line *line, struct list_terms *terms, struct list_rule *ret);
