/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Used by roots.c and keeper.c. A file is taken whole or not at all: half of a key set is not what was meant.
 *
 * libunbound's own format (validator/autotrust.c) is a record a line with a comment ";;state=N [ NAME ]"; a new key
 * that is being watched is in it, too, and must not be trusted: what reads the file as plain records, as unbound's
 * trust-anchor-file does, would skip the hold-down of RFC 5011 2.4.1.
 *
 * Sources: RFC 5011 4 (states), RFC 4034 2, 5. */
#include "dnsd/anchors.h"

#include <ldns/ldns.h>

#include "dnsd/text_file.h"

/* Written into every line, so that equal keys are equal texts; libunbound does not use an anchor's TTL. */
#define ANCHOR_TTL_S	 172800u
#define KEY_FLAG_REVOKED 0x0080u /* RFC 5011 2.1 */

enum key_state { KEY_START = 0, KEY_PENDING, KEY_VALID, KEY_MISSING, KEY_REVOKED, KEY_REMOVED, KEY_STATE_MAX };

struct reading {
	const char *name;
	uint32_t line;
	char *lines[ANCHORS_MAX];
	struct anchors got;
	struct err *e;
};

static void reading_done(struct reading *r)
{
	for (uint32_t i = 0; i < r->got.n; i++)
		free(r->lines[i]);
}

static int bad(struct reading *r, const char *what)
{
	return err_set(r->e, -EBADMSG, "%s:%u: %s", r->name, r->line, what);
}

static bool header_number(const char *line, const char *head, uint64_t *ret)
{
	size_t n = strlen(head);
	char *end = NULL;
	unsigned long long value;

	if (strncmp(line, head, n) != 0)
		return false;
	errno = 0;
	value = strtoull(line + n, &end, 10);
	if (end == line + n || errno != 0)
		return false;
	*ret = value;
	return true;
}

/* Lines without a state are plain records: trusted by whoever wrote the file. */
static enum key_state state_of(const char *line)
{
	const char *at = strstr(line, ";;state=");

	if (at == NULL)
		return KEY_VALID;
	at += strlen(";;state=");
	return *at >= '0' && *at < '0' + KEY_STATE_MAX ? (enum key_state)(*at - '0') : KEY_STATE_MAX;
}

static int key_add(struct reading *r, ldns_rr *rr)
{
	char *text;

	if (r->got.n == ANCHORS_MAX)
		return bad(r, "more keys than a zone has");
	ldns_rr_set_ttl(rr, ANCHOR_TTL_S);
	text = ldns_rr2str_fmt(ldns_output_format_nocomments, rr);
	if (text == NULL)
		return err_set(r->e, -ENOMEM, "%s", r->name);
	text[strcspn(text, "\n")] = '\0';
	r->lines[r->got.n++] = text;
	return 0;
}

static int record_take(struct reading *r, ldns_rr *rr, enum key_state state)
{
	const ldns_rdf *owner = ldns_rr_owner(rr);

	if (ldns_rdf_size(owner) != 1)
		return bad(r, "a record of another zone than the root");
	if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_DS && ldns_rr_get_type(rr) != LDNS_RR_TYPE_DNSKEY)
		return bad(r, "neither DS nor DNSKEY");
	switch (state) {
	case KEY_VALID:
	case KEY_MISSING: /* RFC 5011 4.2: still a trust anchor */
		break;
	case KEY_PENDING:
		r->got.n_pending++;
		return 0;
	case KEY_START:
	case KEY_REVOKED:
	case KEY_REMOVED:
		return 0;
	case KEY_STATE_MAX:
		return bad(r, "a state that RFC 5011 does not know");
	}
	if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_DNSKEY &&
	    (ldns_rdf2native_int16(ldns_rr_dnskey_flags(rr)) & KEY_FLAG_REVOKED) != 0)
		return bad(r, "a key that was revoked");
	return key_add(r, rr);
}

static int line_read(struct reading *r, const char *line)
{
	ldns_rr *rr = NULL;
	ldns_status status;
	int rc;

	if (header_number(line, ";;next_probe_time: ", &r->got.next_probe_s) ||
	    header_number(line, ";;last_success: ", &r->got.last_success_s))
		return 0;
	if (strncmp(line, ";;REVOKED", strlen(";;REVOKED")) == 0)
		return bad(r, "the zone has revoked all of its keys");
	line += strspn(line, " \t\r");
	if (*line == '\0' || *line == ';')
		return 0;
	status = ldns_rr_new_frm_str(&rr, line, ANCHOR_TTL_S, NULL, NULL);
	if (status != LDNS_STATUS_OK)
		return bad(r, ldns_get_errorstr_by_id(status));
	rc = record_take(r, rr, state_of(line));
	ldns_rr_free(rr);
	return rc;
}

static int lines_read(struct reading *r, const char *text, size_t len)
{
	size_t at = 0;

	while (at < len) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end != NULL ? (size_t)(end - text) - at : len - at;
		CLEANUP(freep) char *line = strndup(text + at, n);
		int rc;

		r->line++;
		if (line == NULL)
			return err_set(r->e, -ENOMEM, "%s", r->name);
		if (strlen(line) != n)
			return bad(r, "not a text");
		rc = line_read(r, line);
		if (rc != 0)
			return rc;
		at += n + 1;
	}
	return r->got.n == 0 ? bad(r, "no key that is trusted") : 0;
}

static int line_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int lines_join(struct reading *r)
{
	size_t size = 1, at = 0;

	qsort(r->lines, r->got.n, sizeof(r->lines[0]), line_cmp);
	for (uint32_t i = 0; i < r->got.n; i++)
		size += strlen(r->lines[i]) + 1;
	r->got.text = malloc(size);
	if (r->got.text == NULL)
		return err_set(r->e, -ENOMEM, "%s", r->name);
	for (uint32_t i = 0; i < r->got.n; i++)
		at += (size_t)snprintf(r->got.text + at, size - at, "%s\n", r->lines[i]);
	return 0;
}

int anchors_read(const char *name, const char *text, size_t len, struct anchors *ret, struct err *e)
{
	struct reading r = { .name = name, .e = e };
	int rc = len > ANCHOR_FILE_MAX ? err_set(e, -E2BIG, "%s: over %u bytes", name, ANCHOR_FILE_MAX)
				       : lines_read(&r, text, len);

	if (rc == 0)
		rc = lines_join(&r);
	reading_done(&r);
	if (rc == 0)
		*ret = r.got;
	return rc;
}

int anchors_read_file(const char *path, struct anchors *ret, struct err *e)
{
	struct text_file t = { 0 };
	int rc = text_file_read(path, ANCHOR_FILE_MAX, &t, e);

	if (rc == 0)
		rc = anchors_read(path, t.buf, t.len, ret, e);
	free(t.buf);
	return rc;
}

void anchors_done(struct anchors *a)
{
	free(a->text);
	a->text = NULL;
}
