/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice list-match`: what a compiled list file says of names, one a line. */
#include "cli/cli.h"

#include "cli/dns_type.h"
#include "filter/listfile.h"
#include "sluice/plan.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const char help[] = "usage: sluice list-match OUT < NAMES\n\n"
			   "OUT is of list-compile. Each line of standard input is a name or an address, and "
			   "optionally a type of records\n"
			   "(without one, rules for certain types do not hold); each line of output is JSON:\n"
			   "{\"name\",\"verdict\":\"block\"|\"allow\"|\"rewrite\"|\"none\",\"list\",\"line\",\"rule\"}."
			   " A line that is neither\n"
			   "gives {\"name\",\"error\"}, and exit status 1 at the end. Nobody in particular asks: rules "
			   "for certain clients do not\n"
			   "hold.\n";

/* A compiled file in memory. */
struct mapped {
	void *data;
	size_t len;
	struct listfile *file;
};

static void mapped_done(struct mapped *m)
{
	m->file = listfile_free(m->file);
	if (m->data != NULL)
		(void)munmap(m->data, m->len);
	m->data = NULL;
}

static int mapped_init(struct mapped *m, const char *path, struct err *e)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd == -1 || fstat(fd, &st) == -1)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	if (st.st_size <= 0)
		return err_set(e, -EBADMSG, "%s: empty", path);
	m->len = (size_t)st.st_size;
	m->data = mmap(NULL, m->len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (m->data == MAP_FAILED) {
		m->data = NULL;
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	}
	r = listfile_open(m->data, m->len, &m->file, e);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}

static void add_hit(cJSON *j, const struct listfile *f, const struct list_hit *hit)
{
	char rule[DNAME_TEXT_MAX + LIST_TEXT_MAX];

	cJSON_AddStringToObject(j, "verdict",
				hit->rule.action == LIST_ALLOW	 ? "allow"
				: hit->rule.action == LIST_BLOCK ? "block"
								 : "rewrite");
	cJSON_AddStringToObject(j, "list", listfile_name(f, hit->list));
	cJSON_AddNumberToObject(j, "line", hit->line);
	cJSON_AddStringToObject(j, "rule", list_rule_print(&hit->rule, rule, sizeof(rule)));
}

static void add_none(cJSON *j)
{
	cJSON_AddStringToObject(j, "verdict", "none");
	cJSON_AddNullToObject(j, "list");
	cJSON_AddNullToObject(j, "line");
	cJSON_AddNullToObject(j, "rule");
}

/* @ask.type: as written, or 0. False: the line is no question, and *ret_why says what is wrong with it. */
static bool ask_parse(char *line, struct dname *name, struct ip_addr *addr, struct list_ask *ret, const char **ret_why)
{
	size_t len = strcspn(line, " \t\r\n");
	char *type = line + len + strspn(line + len, " \t\r\n");

	type[strcspn(type, " \t\r\n")] = '\0';
	line[len] = '\0';
	if (ip_addr_parse(line, addr) == 0) {
		ret->addr = addr;
		ret->type = addr->family == IP_V4 ? RECORD_A : RECORD_AAAA;
	} else if (dname_parse(line, len, name) == 0) {
		ret->name = name;
	} else {
		*ret_why = "neither a domain name nor an address";
		return false;
	}
	if (*type == '\0')
		return true;
	ret->type = dns_type_parse(type);
	*ret_why = "not a type of DNS records";
	return ret->type != 0;
}

/* Negative when memory ran out, 0 when the line was answered, 1 when it is no question. */
static int match_line(const struct listfile *f, struct list_scratch *scratch, char *line)
{
	struct list_ask ask = { .scratch = scratch };
	cJSON *j = cJSON_CreateObject();
	struct list_match found;
	struct ip_addr addr;
	struct dname name;
	const char *why;
	char *text;
	bool good = ask_parse(line, &name, &addr, &ask, &why);

	cJSON_AddStringToObject(j, "name", line);
	if (!good)
		cJSON_AddStringToObject(j, "error", why);
	else if (listfile_match(f, UINT64_MAX, &ask, &found))
		add_hit(j, f, found.n_rewrites != 0 ? &found.rewrites[0] : &found.hit);
	else
		add_none(j);
	text = cJSON_PrintUnformatted(j);
	cJSON_Delete(j);
	if (text == NULL)
		return -ENOMEM;
	puts(text);
	cJSON_free(text);
	return good ? 0 : 1;
}

static int match_all(const struct listfile *f, struct list_scratch *scratch)
{
	CLEANUP(freep) char *line = NULL;
	size_t cap = 0;
	int code = CLI_OK;

	while (getline(&line, &cap, stdin) != -1) {
		int r;

		if (line[strspn(line, " \t\r\n")] == '\0')
			continue;
		r = match_line(f, scratch, line);
		if (r < 0) {
			fputs("sluice list-match: no memory\n", stderr);
			return CLI_BAD_INPUT;
		}
		if (r > 0)
			code = CLI_BAD_INPUT;
	}
	return ferror(stdin) != 0 || fflush(stdout) != 0 ? CLI_BAD_INPUT : code;
}

int cmd_list_match(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	CLEANUP(mapped_done) struct mapped m = { 0 };
	struct list_scratch *scratch;
	struct err e = { 0 };
	int opt, code;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "jh", longs, NULL)) != -1) {
		if (opt == 'j') /* it is JSON in any case; every machine interface takes the option */
			continue;
		fputs(help, opt == 'h' ? stdout : stderr);
		return opt == 'h' ? CLI_OK : CLI_USAGE;
	}
	if (optind + 1 != argc) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	if (mapped_init(&m, argv[optind], &e) < 0) {
		fprintf(stderr, "sluice list-match: %s\n", e.msg);
		return CLI_BAD_INPUT;
	}
	scratch = list_scratch_new();
	if (scratch == NULL) {
		fputs("sluice list-match: no memory\n", stderr);
		return CLI_BAD_INPUT;
	}
	code = match_all(m.file, scratch);
	(void)list_scratch_free(scratch);
	return code;
}
