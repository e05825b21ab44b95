/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/query_filter.h"

#include <fcntl.h>
#include <ldns/ldns.h>
#include <limits.h>

bool query_filter_option(struct query_filter *f, int opt, const char *arg)
{
	const char **texts[] = { ['c'] = &f->config, ['j'] = &f->journal, ['d'] = &f->device, ['n'] = &f->name,
				 ['l'] = &f->list,   ['t'] = &f->type,	  ['k'] = &f->key,    ['~'] = NULL };

	if (opt > 0 && (size_t)opt < ARRAY_LEN(texts) && texts[opt] != NULL) {
		*texts[opt] = arg;
		return true;
	}
	switch (opt) {
	case 's':
		return journal_time_parse(arg, &f->since_us) == 0;
	case 'u':
		return journal_time_parse(arg, &f->until_us) == 0;
	case 'b':
		f->blocked = true;
		return true;
	case 'J':
		f->json = true;
		return true;
	default:
		return false;
	}
}

bool query_was_blocked(const struct query_record *q)
{
	if (q->excepted)
		return false;
	switch (q->reason) {
	case QUERY_REASON_POLICY:
	case QUERY_REASON_CANARY:
	case QUERY_REASON_FILTER:
	case QUERY_REASON_LIST:
	case QUERY_REASON_SAFE:
	case QUERY_REASON_REBIND:
		return true;
	default:
		return false;
	}
}

struct flow_text query_where(const struct query_record *q)
{
	if (q->list.len != 0)
		return q->list;
	return q->reason != QUERY_REASON_NONE ? flow_text_of(query_reason_name(q->reason)) : (struct flow_text){ 0 };
}

const char *query_type_print(uint16_t type, char *buf, size_t size)
{
	char *text = type != 0 ? ldns_rr_type2str((ldns_rr_type)type) : NULL;

	(void)snprintf(buf, size, "%s", text != NULL ? text : "-");
	free(text);
	return buf;
}

static bool wanted(const struct query_filter *f, const struct row *row)
{
	const struct query_record *q = &row->query;
	char addr[IP_TEXT_MAX], type[32];

	if (row->kind == ROW_GAP)
		return (row->end_us == 0 || row->end_us >= f->since_us) &&
		       (f->until_us == 0 || row->start_us < f->until_us);
	if (q->at_us < f->since_us || (f->until_us != 0 && q->at_us >= f->until_us))
		return false;
	if (f->device != NULL && !journal_text_equal(q->device, f->device) &&
	    strcmp(journal_addr_print(&q->client, addr), f->device) != 0)
		return false;
	if (f->name != NULL && !journal_name_below(q->name, f->name))
		return false;
	if (f->type != NULL && strcasecmp(query_type_print(q->type, type, sizeof(type)), f->type) != 0)
		return false;
	if (f->list != NULL && !journal_text_equal(query_where(q), f->list))
		return false;
	return !f->blocked || query_was_blocked(q);
}

static int complain(const struct rows *rows, struct err *e)
{
	if (rows_sealed(rows) != 0)
		return err_set(e, -EPERM, "%llu records are sealed; --key FILE opens them",
			       (unsigned long long)rows_sealed(rows));
	if (rows_newer(rows) != 0)
		return err_set(e, -ENOTSUP, "%llu records were written by a later Sluice: read them with that one",
			       (unsigned long long)rows_newer(rows));
	if (rows_damaged(rows) != 0)
		return err_set(e, -EBADMSG, "the journal is damaged in %llu places; see sluice flows --verify",
			       (unsigned long long)rows_damaged(rows));
	return 0;
}

static int each(const struct query_filter *f, int dir, query_row_fn *fn, void *arg, struct err *e)
{
	CLEANUP(rows_freep) struct rows *rows = NULL;
	CLEANUP(journal_unsealer_done) struct journal_unsealer unsealer = { 0 };
	struct rows_options ro = { .dir_fd = dir, .what = ROWS_QUERIES };
	struct row row;
	int r = 0;

	if (f->key != NULL) {
		r = journal_key_read(f->key, &unsealer, e);
		ro.unsealer = &unsealer;
	}
	if (r == 0)
		r = rows_new(&ro, &rows, e);
	while (r == 0) {
		while ((r = rows_next(rows, &row, e)) == 1)
			if (wanted(f, &row))
				fn(arg, &row);
		if (r < 0 || !f->follow)
			break;
		(void)fflush(stdout);
		(void)usleep(JOURNAL_FOLLOW_US);
	}
	return r == 0 ? complain(rows, e) : r;
}

int query_filter_each(const struct query_filter *f, query_row_fn *fn, void *arg, struct err *e)
{
	CLEANUP(fd_closep) int dir = -1;
	const char *journal = f->journal;
	char place[PATH_MAX];

	if (sodium_init() < 0)
		return err_set(e, -EIO, "libsodium does not start");
	if (journal == NULL && journal_find(f->config, place, sizeof(place), &journal) < 0)
		return err_set(e, -EINVAL, "no journal without the gateway's settings: --journal DIR");
	dir = open(journal, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return err_set(e, -errno, "%s: %s", journal, strerror(errno));
	return each(f, dir, fn, arg, e);
}
