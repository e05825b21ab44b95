/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text to steps: a line that begins at the margin is a directive, an indented one belongs to it; '#' at the beginning
 * of a line is a comment. Called by replay.c. */
#include "script.h"

#include <ctype.h>
#include <stdarg.h>

#define SCRIPT_BYTES_MAX 1000000l

static _Noreturn void fail_at(const char *path, unsigned line, const char *fmt, va_list ap)
{
	fprintf(stderr, "%s:%u: ", path, line);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	exit(1);
}

void step_fail(const struct step *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_at(s->path, s->line, fmt, ap);
}

void line_fail(const struct step *s, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_at(s->path, line, fmt, ap);
}

static char *file_text(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	long len = -1;

	if (f != NULL && fseek(f, 0, SEEK_END) == 0)
		len = ftell(f);
	if (len >= 0 && len < SCRIPT_BYTES_MAX)
		text = calloc(1, (size_t)len + 1);
	if (text == NULL || fseek(f, 0, SEEK_SET) != 0 || fread(text, 1, (size_t)len, f) != (size_t)len) {
		fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(errno));
		exit(1);
	}
	(void)fclose(f);
	return text;
}

/* In place. */
static void step_words(struct step *s, char *at)
{
	while (*at != '\0') {
		char end = ' ';

		while (isspace((unsigned char)*at))
			at++;
		if (*at == '\0' || *at == '#')
			break;
		if (s->n_words == STEP_WORDS_MAX)
			step_fail(s, "more than %u words", STEP_WORDS_MAX);
		s->words[s->n_words++] = at;
		if (*at == '"') {
			end = '"';
			at++;
		}
		while (*at != '\0' && *at != end && (end == '"' || *at != '\t'))
			at++;
		if (end == '"' && *at == '\0')
			step_fail(s, "a quotation mark is missing");
		if (*at != '\0')
			*at++ = '\0';
	}
	s->words[s->n_words] = NULL;
}

static struct step *step_new(struct script *s, const char *path, unsigned line)
{
	struct step *grown = realloc(s->steps, (s->n_steps + 1) * sizeof(*grown));

	if (grown == NULL) {
		fprintf(stderr, "%s: out of memory\n", path);
		exit(1);
	}
	s->steps = grown;
	grown += s->n_steps++;
	memset(grown, 0, sizeof(*grown));
	grown->path = path;
	grown->line = line;
	return grown;
}

static void block_add(struct script *s, const char *path, unsigned line, char *text)
{
	struct step *to = s->n_steps != 0 ? &s->steps[s->n_steps - 1] : NULL;

	if (to == NULL) {
		fprintf(stderr, "%s:%u: an indented line without a directive above it\n", path, line);
		exit(1);
	}
	if (to->n_block == STEP_LINES_MAX)
		line_fail(to, line, "more than %u lines", STEP_LINES_MAX);
	while (isspace((unsigned char)*text))
		text++;
	to->block[to->n_block++] = (struct script_line){ line, text };
}

void script_read(const char *path, struct script *ret)
{
	char *at;
	unsigned line = 0;

	*ret = (struct script){ .text = file_text(path) };
	for (at = ret->text; at != NULL && *at != '\0';) {
		char *next = strchr(at, '\n');

		line++;
		if (next != NULL)
			*next++ = '\0';
		if (at[strspn(at, " \t")] == '\0' || *at == '#')
			; /* blank, or a comment */
		else if (isspace((unsigned char)*at))
			block_add(ret, path, line, at);
		else
			step_words(step_new(ret, path, line), at);
		at = next;
	}
}

void script_done(struct script *s)
{
	free(s->steps);
	free(s->text);
}

const char *word_value(const char *word, const char *name)
{
	size_t len = strlen(name);

	return strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

unsigned long step_number(const struct step *s, const char *text, unsigned long max)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0 || n > max)
		step_fail(s, "'%s': a number up to %lu is wanted", text, max);
	return n;
}

uint64_t step_duration(const struct step *s, const char *text)
{
	static const struct {
		const char *unit;
		uint64_t us;
	} units[] = {
		{ "ms", 1000 }, { "s", 1000000 }, { "m", 60000000 }, { "h", 3600000000u }, { "d", 86400000000u }
	};
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	for (size_t i = 0; i < ARRAY_LEN(units) && isdigit((unsigned char)*text); i++)
		if (strcmp(end, units[i].unit) == 0)
			return n * units[i].us;
	step_fail(s, "'%s': a time is wanted, like 250ms, 10s, 2h, 3d", text);
}
