/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return code;
	e->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char context[sizeof(e->msg)];
	char inner[sizeof(e->msg)];
	va_list ap;

	if (e == NULL)
		return -EIO;
	va_start(ap, fmt);
	(void)vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	(void)snprintf(inner, sizeof(inner), "%s", e->msg);
	/* Cut at the end, not in the middle: the context is what leads the reader to the place. */
	(void)snprintf(e->msg, sizeof(e->msg), "%.100s: %.136s", context, inner);
	return e->code;
}
