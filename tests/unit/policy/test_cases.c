/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cases of tests/cases: small policies and what must come of them, one for each sentence that the language is
 * defined by. Arguments: the device list, then the files. Each accepted policy is also compiled, asked a grid of
 * packets of both evaluator and plan, which must agree, and formatted, which must not change what it says.
 *
 *	title of a case
 *		the policy, as HuJSON; or what replaces $ in the text after the last line "with"
 *		accept [CODE...]                no error, and these warnings or notes
 *		refuse CODE...                  exactly these errors
 *		run [CODE...]                   its own tests say exactly this, P0801 being a failure
 *		packet DEVICE DEVICE|ADDRESS PROTO[:PORT] [NAME] -> accept|drop|reject [RULE]
 */
#include "world.h"

#include "policy/format.h"
#include "policy/services.h"

#define CASES_MIN 400 /* a file that is not read must not pass */

struct lines {
	char **items;
	size_t n, cap;
};

struct tally {
	uint32_t cases, refused, packets, agreed, failed;
};

struct one_case {
	const char *file;
	uint32_t line;
	char *title;
	struct lines text, expect;
};

struct runner {
	const char *devices;
	struct lines with;
	struct one_case now;
	struct tally tally;
};

static const char *const action_words[] = { [PLAN_ACCEPT] = "accept", [PLAN_DROP] = "drop", [PLAN_REJECT] = "reject" };

static void lines_add(struct lines *l, const char *text)
{
	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 8;
		l->items = reallocarray(l->items, l->cap, sizeof(*l->items));
		assert_non_null(l->items);
	}
	l->items[l->n] = strdup(text);
	assert_non_null(l->items[l->n]);
	l->n++;
}

static void lines_clear(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct lines){ 0 };
}

static void PRINTF_LIKE(2, 3) case_fail(struct runner *r, const char *fmt, ...)
{
	va_list ap;

	r->tally.failed++;
	(void)fprintf(stderr, "%s:%" PRIu32 ": %s: ", r->now.file, r->now.line, r->now.title);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

/* The policy's text: the case's, or the template with the case's in the place of its "$". */
static char *policy_text(const struct runner *r)
{
	CLEANUP(freep) char *own = NULL, *all = NULL;
	size_t len, all_len;
	FILE *out = open_memstream(&own, &len);
	char *hole;

	assert_non_null(out);
	for (size_t i = 0; i < r->now.text.n; i++)
		(void)fprintf(out, "%s%s", i > 0 ? "\n" : "", r->now.text.items[i]);
	(void)fclose(out);
	if (r->with.n == 0)
		return TAKE(own);
	out = open_memstream(&all, &all_len);
	assert_non_null(out);
	for (size_t i = 0; i < r->with.n; i++) {
		hole = strchr(r->with.items[i], '$');
		if (hole == NULL)
			(void)fprintf(out, "%s\n", r->with.items[i]);
		else
			(void)fprintf(out, "%.*s%s%s\n", (int)(hole - r->with.items[i]), r->with.items[i], own,
				      hole + 1);
	}
	(void)fclose(out);
	return TAKE(all);
}

static bool diag_is(const struct diag_list *l, const char *code, bool error)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i].code, code) == 0 && (l->items[i].level == DIAG_ERROR) == error)
			return true;
	return false;
}

static bool word_in(const char *words, const char *word)
{
	const char *at = strstr(words, word);

	return at != NULL;
}

/* Every code of @words was said at that level. */
static void codes_expect(struct runner *r, const struct diag_list *l, const char *words, bool error)
{
	CLEANUP(freep) char *copy = strdup(words);
	char *save = NULL;

	assert_non_null(copy);
	for (char *code = strtok_r(copy, " ", &save); code != NULL; code = strtok_r(NULL, " ", &save))
		if (!diag_is(l, code, error))
			case_fail(r, "%s was not said", code);
}

static void refusal_expect(struct runner *r, const struct diag_list *l, const char *words)
{
	r->tally.refused++;
	if (l->n_errors == 0)
		case_fail(r, "accepted, and must be refused with %s", words);
	codes_expect(r, l, words, true);
	for (uint32_t i = 0; i < l->n; i++)
		if (l->items[i].level == DIAG_ERROR && !word_in(words, l->items[i].code))
			case_fail(r, "also refused with %s: %s", l->items[i].code, l->items[i].msg);
}

static const struct doc_device *device_named(const struct doc_devices *d, const char *name)
{
	for (uint32_t i = 0; i < d->n_devices; i++)
		if (strcmp(d->devices[i].name, name) == 0)
			return &d->devices[i];
	return NULL;
}

static bool addr_of(const struct doc_devices *d, const char *text, int family, struct ip_addr *ret)
{
	const struct doc_device *dev = device_named(d, text);

	if (dev == NULL)
		return ip_addr_parse(text, ret) == 0;
	for (uint32_t i = 0; i < dev->n_addrs; i++)
		if (family == 0 || dev->addrs[i].family == family) {
			*ret = dev->addrs[i];
			return true;
		}
	return false;
}

/* Evaluator and plan about one packet. False when they differ. */
static bool both_say(const struct world *w, const struct packet *pkt, struct verdict *ret)
{
	const char *rule;

	evaluate_packet(w->policy, w->devices, &w->env, pkt, ret);
	return plan_says(w->plan, pkt, &rule) == ret->action && (pkt->name != NULL || strcmp(rule, ret->rule) == 0);
}

static void packet_expect(struct runner *r, const struct world *w, const char *words)
{
	char src[128], dst[128], service[64], name[256] = "", action[16], rule[32] = "";
	const char *arrow = strstr(words, "->");
	char *port;
	struct packet pkt = { 0 };
	struct dname dname;
	struct verdict v;
	int n = arrow != NULL ? sscanf(words, "%127s %127s %63s %255s", src, dst, service, name) : 0;

	if (n < 3 || sscanf(arrow + 2, "%15s %31s", action, rule) < 1) {
		case_fail(r, "cannot be read: %s", words);
		return;
	}
	port = strchr(service, ':');
	if (port != NULL)
		*port++ = '\0';
	if (!addr_of(w->devices, dst, 0, &pkt.dst) || !addr_of(w->devices, src, pkt.dst.family, &pkt.src) ||
	    proto_lookup(service, &pkt.proto) < 0 || (port != NULL && port_parse(port, &pkt.port) < 0) ||
	    (strcmp(name, "->") != 0 && dname_parse(name, strlen(name), &dname) < 0)) {
		case_fail(r, "cannot be read: %s", words);
		return;
	}
	pkt.name = strcmp(name, "->") != 0 ? &dname : NULL;
	r->tally.packets++;
	if (!both_say(w, &pkt, &v))
		case_fail(r, "%s: plan and evaluator (%s %s) differ", words, action_words[v.action], v.rule);
	if (strcmp(action, action_words[v.action]) != 0 || strcmp(rule, v.rule) != 0)
		case_fail(r, "%s: got %s %s (%s)", words, action_words[v.action], v.rule, v.reason);
}

/* Whatever a case is about: on everything else, too, evaluator and plan are of one opinion. */
static void grid_agree(struct runner *r, const struct world *w)
{
	static const char *const to[] = {
		"laptop",      "phone",	     "web",	  "db",		  "tv",
		"203.0.113.9", "10.50.1.1",  "10.9.9.9",  "192.168.1.20", "198.51.100.8",
		"2001:db8::9", "198.18.0.3", "224.0.0.1", "100.64.0.99",  "fd7a:115c:a1e0::7"
	};
	static const struct service what[] = { { 6, 443, 0 }, { 6, 22, 0 },	{ 6, 853, 0 },
					       { 17, 53, 0 }, { 1, 0, 0 },	{ 58, 0, 0 },
					       { 47, 0, 0 },  { 132, 9000, 0 }, { 2, 0, 0 } };

	for (uint32_t d = 0; d < w->devices->n_devices; d++) {
		for (size_t i = 0; i < ARRAY_LEN(to) * ARRAY_LEN(what); i++) {
			const struct service *s = &what[i % ARRAY_LEN(what)];
			struct packet pkt = { .proto = s->proto, .port = s->port_lo };
			struct verdict v;

			if (!addr_of(w->devices, to[i / ARRAY_LEN(what)], 0, &pkt.dst) ||
			    !addr_of(w->devices, w->devices->devices[d].name, pkt.dst.family, &pkt.src))
				continue;
			r->tally.agreed++;
			if (!both_say(w, &pkt, &v))
				case_fail(r, "plan and evaluator differ: %s to %s, protocol %u port %u",
					  w->devices->devices[d].name, to[i / ARRAY_LEN(what)], pkt.proto, pkt.port);
		}
	}
}

static void run_expect(struct runner *r, struct world *w, const char *words)
{
	CLEANUP(freep) struct diag_list *said = calloc(1, sizeof(*said));
	uint32_t failed;

	assert_non_null(said);
	diag_init(said, w->mem);
	failed = evaluate_tests(w->policy, w->devices, &w->env, NULL, NULL, NULL, said);
	codes_expect(r, said, strstr(words, "P0801") != NULL ? "P0801" : "", true);
	if (failed != said->n_errors)
		case_fail(r, "%" PRIu32 " failures, and %" PRIu32 " reported", failed, said->n_errors);
	for (uint32_t i = 0; i < said->n; i++)
		if (!word_in(words, said->items[i].code))
			case_fail(r, "its tests also say %s: %s", said->items[i].code, said->items[i].msg);
	if (strstr(words, "P0802") != NULL)
		codes_expect(r, said, "P0802", false);
}

static bool same_string(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static char *formatted(struct arena *mem, const struct source *src, struct diag_list *diags)
{
	CLEANUP(freep) char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int ret;

	assert_non_null(out);
	ret = format_hujson(mem, src, diags, out);
	(void)fclose(out);
	return ret == 0 ? TAKE(text) : NULL;
}

/* What the formatter makes of @src says the same, and does not change when it is formatted again. */
static void format_expect(struct runner *r, struct arena *mem, const struct source *src)
{
	CLEANUP(freep) struct diag_list *diags = calloc(1, sizeof(*diags));
	CLEANUP(freep) char *once = NULL, *twice = NULL;
	const struct hj_node *before, *after;
	struct source *again;

	assert_non_null(diags);
	diag_init(diags, mem);
	once = formatted(mem, src, diags);
	if (once == NULL) {
		case_fail(r, "cannot be formatted");
		return;
	}
	again = source_new(mem, "formatted", once, strlen(once));
	assert_non_null(again);
	before = hujson_parse(mem, src, diags);
	after = hujson_parse(mem, again, diags);
	if (before == NULL || after == NULL || !hj_same(before, after))
		case_fail(r, "says something else when formatted:\n%s", once);
	else {
		twice = formatted(mem, again, diags);
		if (!same_string(once, twice))
			case_fail(r, "changes when formatted again:\n%s---\n%s", once, twice);
	}
}

static void case_judge(struct runner *r, struct world *w)
{
	const char *refused = NULL;

	for (size_t i = 0; i < r->now.expect.n; i++)
		if (strncmp(r->now.expect.items[i], "refuse ", 7) == 0)
			refused = r->now.expect.items[i] + 7;
	if (refused != NULL) {
		refusal_expect(r, &w->diags, refused);
		return;
	}
	if (w->diags.n_errors == 0 && plan_compile(w->policy, w->devices, &w->env, &w->diags, &w->plan) < 0)
		case_fail(r, "is not compiled");
	if (w->plan == NULL) {
		case_fail(r, "refused");
		diag_print(&w->diags, stderr);
		return;
	}
	for (size_t i = 0; i < r->now.expect.n; i++) {
		if (strncmp(r->now.expect.items[i], "packet ", 7) == 0)
			packet_expect(r, w, r->now.expect.items[i] + 7);
		else if (strncmp(r->now.expect.items[i], "run", 3) == 0)
			run_expect(r, w, r->now.expect.items[i] + 3);
		else
			codes_expect(r, &w->diags, r->now.expect.items[i] + strlen("accept"), false);
	}
	grid_agree(r, w);
	format_expect(r, w->mem, w->policy->src);
}

static void case_run(struct runner *r)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(world_done) struct world w = { .mem = arena_new(0) };
	struct source *src;

	if (r->now.title == NULL)
		return;
	text = policy_text(r);
	r->tally.cases++;
	if (r->now.expect.n == 0)
		case_fail(r, "expects nothing");
	assert_non_null(w.mem);
	diag_init(&w.diags, w.mem);
	w.env.now_s = 2000;
	assert_int_equal(ip_prefix_parse("198.18.0.0/24", &w.attached[0], NULL), 0);
	w.env.attached = w.attached;
	w.env.n_attached = 1;
	src = source_new(w.mem, "policy.hujson", text, strlen(text));
	assert_non_null(src);
	w.policy = document_policy(w.mem, src, &w.diags);
	src = source_new(w.mem, "devices.hujson", r->devices, strlen(r->devices));
	assert_non_null(src);
	w.devices = document_devices(w.mem, src, &w.diags);
	assert_non_null(w.devices);
	case_judge(r, &w);
}

static void case_clear(struct one_case *c)
{
	free(c->title);
	lines_clear(&c->text);
	lines_clear(&c->expect);
	*c = (struct one_case){ 0 };
}

static bool is_expectation(const char *line)
{
	return strcmp(line, "accept") == 0 || strncmp(line, "accept ", 7) == 0 || strncmp(line, "refuse ", 7) == 0 ||
	       strncmp(line, "packet ", 7) == 0 || strcmp(line, "run") == 0 || strncmp(line, "run ", 4) == 0;
}

static void file_run(struct runner *r, const char *file)
{
	FILE *in = fopen(file, "re");
	CLEANUP(freep) char *line = NULL;
	size_t cap = 0;
	uint32_t n = 0;
	bool with = false;

	if (in == NULL)
		fail_msg("%s: %s", file, strerror(errno));
	lines_clear(&r->with);
	while (getline(&line, &cap, in) != -1) {
		n++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (line[0] == '\t') {
			lines_add(with ? &r->with : is_expectation(line + 1) ? &r->now.expect : &r->now.text, line + 1);
			continue;
		}
		case_run(r);
		case_clear(&r->now);
		with = strcmp(line, "with") == 0;
		if (with) {
			lines_clear(&r->with);
			continue;
		}
		r->now = (struct one_case){ .file = file, .line = n, .title = strdup(line) };
		assert_non_null(r->now.title);
	}
	case_run(r);
	case_clear(&r->now);
	(void)fclose(in);
}

struct arguments {
	int n;
	char **files; /* the device list first */
};

static char *file_read(const char *file)
{
	CLEANUP(freep) char *text = NULL;
	FILE *in = fopen(file, "re");
	size_t cap = 0;

	if (in == NULL || getdelim(&text, &cap, '\0', in) == -1)
		fail_msg("%s: cannot be read", file);
	(void)fclose(in);
	return TAKE(text);
}

static void every_case_holds(void **state)
{
	const struct arguments *args = *state;
	CLEANUP(freep) char *devices = file_read(args->files[0]);
	struct runner r = { .devices = devices };

	for (int i = 1; i < args->n; i++)
		file_run(&r, args->files[i]);
	lines_clear(&r.with);
	printf("%" PRIu32 " cases (%" PRIu32 " refusals), %" PRIu32 " packets with a given verdict, %" PRIu32
	       " more on which plan and evaluator agree, %" PRIu32 " failures\n",
	       r.tally.cases, r.tally.refused, r.tally.packets, r.tally.agreed, r.tally.failed);
	assert_int_equal(r.tally.failed, 0);
	assert_true(r.tally.cases >= CASES_MIN);
}

int main(int argc, char **argv)
{
	struct arguments args = { argc - 1, argv + 1 };
	const struct CMUnitTest tests[] = { cmocka_unit_test_prestate(every_case_holds, &args) };

	if (argc < 3) {
		(void)fprintf(stderr, "usage: %s DEVICES CASES...\n", argv[0]);
		return 2;
	}
	return cmocka_run_group_tests_name("cases", tests, NULL, NULL);
}
