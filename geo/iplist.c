/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One entry a line: an address, a CIDR, a range "a-b"; what follows may be a comment (# or ;) or a score. Spamhaus'
 * JSON lines are read for "cidr". Everything else is refused and counted: a list that has become a page of HTML must
 * not pass for an empty one. */
#include "geo/iplist.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <sys/stat.h>

/* Longer than any entry, its comment included; cJSON's recursion is bounded with it. */
#define LINE_MAX_BYTES 4096

enum line_kind { LINE_NOTHING = 0, LINE_ENTRY, LINE_REFUSED };

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static int prefix_text_parse(const char *text, struct ip_range *ret)
{
	struct ip_prefix p;

	/* All addresses: a mistake of whoever made the list, and nobody could reach anything. */
	if (ip_prefix_parse(text, &p, NULL) < 0 || p.len == 0)
		return -EINVAL;
	*ret = ip_prefix_range(&p);
	return 0;
}

/* "a-b", or a single prefix. @text is cut in two. */
static int entry_parse(char *text, struct ip_range *ret)
{
	char *dash = strchr(text, '-');

	if (dash == NULL)
		return prefix_text_parse(text, ret);
	*dash = '\0';
	if (ip_addr_parse(text, &ret->first) < 0 || ip_addr_parse(dash + 1, &ret->last) < 0 ||
	    ret->first.family != ret->last.family || ip_addr_cmp(&ret->first, &ret->last) > 0)
		return -EINVAL;
	return 0;
}

static enum line_kind json_parse(const char *line, struct ip_range *ret)
{
	cJSON *o = cJSON_Parse(line);
	const char *cidr = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "cidr"));
	const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "type"));
	enum line_kind kind = LINE_REFUSED;

	if (cidr != NULL && prefix_text_parse(cidr, ret) == 0)
		kind = LINE_ENTRY;
	else if (cidr == NULL && type != NULL && strcmp(type, "metadata") == 0)
		kind = LINE_NOTHING;
	cJSON_Delete(o);
	return kind;
}

/* Take the blanks out of "a - b". */
static void range_close(char *text)
{
	char *dash = strchr(text, '-'), *to = dash, *from;

	if (dash == NULL)
		return;
	while (to > text && blank(to[-1]))
		to--;
	for (from = dash + 1; blank(*from); from++)
		;
	*to = '-';
	memmove(to + 1, from, strlen(from) + 1);
}

/* @line: NUL-terminated, changed. */
static enum line_kind line_parse(char *line, struct ip_range *ret)
{
	size_t len;
	char *rest;

	while (blank(*line))
		line++;
	if (*line == '{')
		return json_parse(line, ret);
	line[strcspn(line, "#;")] = '\0';
	for (len = strlen(line); len > 0 && blank(line[len - 1]); len--)
		;
	line[len] = '\0';
	if (len == 0)
		return LINE_NOTHING;
	range_close(line);
	rest = line + strcspn(line, " \t");
	if (*rest != '\0')
		*rest++ = '\0';
	while (blank(*rest))
		rest++;
	/* A score, as in ipsum.txt. */
	if (rest[strspn(rest, "0123456789")] != '\0')
		return LINE_REFUSED;
	return entry_parse(line, ret) == 0 ? LINE_ENTRY : LINE_REFUSED;
}

static int line_add(struct iplist *l, uint32_t *room, const char *at, size_t len, uint32_t number)
{
	char line[LINE_MAX_BYTES];
	enum line_kind kind = LINE_REFUSED;
	struct ip_range range;

	if (len < sizeof(line) && memchr(at, '\0', len) == NULL) {
		memcpy(line, at, len);
		line[len] = '\0';
		kind = line_parse(line, &range);
	}
	if (kind == LINE_REFUSED && l->refused++ < IPLIST_REFUSED_MAX)
		l->refused_lines[l->refused - 1] = number;
	if (kind != LINE_ENTRY)
		return 0;
	if (l->n == *room) {
		uint32_t more = *room * 2 + 256;
		struct ip_range *ranges = reallocarray(l->ranges, more, sizeof(*ranges));

		if (ranges == NULL)
			return -ENOMEM;
		l->ranges = ranges;
		*room = more;
	}
	l->ranges[l->n++] = range;
	l->lines++;
	return 0;
}

int iplist_parse(const char *text, size_t len, struct iplist *ret, struct err *e)
{
	struct iplist l = { 0 };
	uint32_t number = 0, room = 0;
	size_t at = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	int r = 0;

	while (r == 0 && at < len) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end != NULL ? (size_t)(end - text) - at : len - at;

		if (++number > IPLIST_LINES_MAX)
			r = err_set(e, -E2BIG, "more than %u lines", IPLIST_LINES_MAX);
		else if (line_add(&l, &room, text + at, n, number) < 0)
			r = err_set(e, -ENOMEM, "out of memory");
		at += n + 1;
	}
	if (r == 0 && l.lines == 0 && l.refused != 0)
		r = err_set(e, -EBADMSG, "line %u and %u others: no address in it", l.refused_lines[0], l.refused - 1);
	if (r < 0) {
		free(l.ranges);
		return r;
	}
	l.n = (uint32_t)ip_ranges_normalize(l.ranges, l.n);
	*ret = l;
	return 0;
}

int iplist_read_fd(int fd, struct iplist *ret, struct err *e)
{
	CLEANUP(freep) char *text = NULL;
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	if (fstat(fd, &st) == -1)
		return err_set(e, -errno, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > IPLIST_BYTES_MAX)
		return err_set(e, -E2BIG, "no file, or longer than %u bytes", IPLIST_BYTES_MAX);
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	while (len < (size_t)st.st_size && n != 0) {
		n = pread(fd, text + len, (size_t)st.st_size - len, (off_t)len);
		if (n == -1 && errno != EINTR)
			return err_set(e, -errno, "%s", strerror(errno));
		len += n > 0 ? (size_t)n : 0;
	}
	return iplist_parse(text, len, ret, e);
}

int iplist_read(const char *path, struct iplist *ret, struct err *e)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct err why = { 0 };
	int r;

	if (fd == -1)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	r = iplist_read_fd(fd, ret, &why);
	return r < 0 ? err_set(e, r, "%s: %s", path, why.msg) : 0;
}
