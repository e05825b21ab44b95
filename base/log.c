/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line an event, in one write(2), so that lines of several threads do not mix. Control characters become '?': a
 * name that came from a packet cannot forge a line. The role and the level are set once, before any thread runs: they
 * are the only state of a library file in this tree, because a log that needs a handle is a log that is not written. */
#include "base/log.h"

#include <stdarg.h>

#define LOG_LINE_MAX 1024 /* longer lines are cut; journald splits at 48 kB, people stop reading much earlier */
#define LOG_ROLE_MAX 24

static char log_role[LOG_ROLE_MAX] = "sluice";
static int log_max_level = LOG_INFO;
static bool log_prefixed;

void log_init(const char *role, int max_level)
{
	(void)snprintf(log_role, sizeof(log_role), "%s", role);
	log_max_level = max_level;
	log_prefixed = getenv("JOURNAL_STREAM") != NULL;
}

void log_event(int level, const char *event, const char *fmt, ...)
{
	char line[LOG_LINE_MAX + 1];
	char prefix[8] = "";
	va_list ap;
	int saved = errno;
	int head, body;
	size_t len;

	if (level > log_max_level)
		return;
	if (log_prefixed)
		(void)snprintf(prefix, sizeof(prefix), "<%d>", level & 7);
	head = snprintf(line, LOG_LINE_MAX, "%s%s %s ", prefix, log_role, event);
	if (head < 0 || head >= LOG_LINE_MAX)
		return;
	va_start(ap, fmt);
	body = vsnprintf(line + head, (size_t)(LOG_LINE_MAX - head), fmt, ap);
	va_end(ap);
	if (body < 0)
		return;
	len = strlen(line);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	/* Nobody can be told that the log is gone. */
	if (write(STDERR_FILENO, line, len) < 0)
		errno = saved;
	errno = saved;
}
