/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A scenario file, taken apart into steps. The language is in README.md beside this file. */
#pragma once

#include "base/base.h"

#define STEP_WORDS_MAX 40u  /* of one directive: the longest has a dozen */
#define STEP_LINES_MAX 400u /* of one block: a policy, or an answer of more than 4,096 bytes */

struct script_line {
	unsigned line; /* in the file, from 1 */
	const char *text;
};

/* A directive and the indented lines below it. All is borrowed from the script. */
struct step {
	const char *path;
	unsigned line;
	char *words[STEP_WORDS_MAX + 1]; /* NULL behind the last; of "quoted text" with its first mark alone */
	unsigned n_words;
	struct script_line block[STEP_LINES_MAX];
	unsigned n_block;
};

struct script {
	char *text;
	struct step *steps;
	unsigned n_steps;
};

/* Ends the program when the file cannot be read. */
void script_read(const char *path, struct script *ret);
void script_done(struct script *s);

/* Say what is wrong, with file and line, and end the program: a scenario has failed at its first fault. */
_Noreturn PRINTF_LIKE(2, 3) void step_fail(const struct step *s, const char *fmt, ...);
_Noreturn PRINTF_LIKE(3, 4) void line_fail(const struct step *s, unsigned line, const char *fmt, ...);

/* The value of a word "NAME=value", or NULL when @word is another. */
const char *word_value(const char *word, const char *name);
/* Ends the program when it is no number or over @max. */
unsigned long step_number(const struct step *s, const char *text, unsigned long max);
/* "10s", "250ms", "2h", "3d". Microseconds. */
uint64_t step_duration(const struct step *s, const char *text);
