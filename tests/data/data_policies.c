/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Real policies: each is read, compiled and formatted, and its own tests are run with a device list that is derived
 * from it: a device for each user and tag that it names, and for each address that its tests name as a device's; and
 * networks behind the devices of a tag, where a rule goes "via" it. Nobody knows whose the named addresses are: they
 * are given to that tag or user of the policy with which most tests hold, and the table says to whom.
 *
 * One row a policy on standard output: file, outcome, tests held, failed and not run, and why. Called by
 * data_policies.sh, which knows where the policies are and what is to come of each. */
#include "policy/compile.h"
#include "policy/evaluate.h"
#include "policy/format.h"

#include <inttypes.h>

#define NAMES_MAX  256
#define TEXT_BYTES (1u << 20)

struct names {
	const char *items[NAMES_MAX];
	uint32_t n;
};

struct cast {
	struct names users, tags;
	const struct ip_addr *addrs[NAMES_MAX]; /* of devices that only their address names */
	uint32_t n_addrs;
};

struct score {
	uint32_t held, failed, not_run;
	char why[2048];
};

static void name_add(struct names *l, const char *name)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i], name) == 0)
			return;
	if (l->n < NAMES_MAX)
		l->items[l->n++] = name;
}

static void selector_add(struct cast *c, const struct selector *s)
{
	if (s->kind == SEL_USER)
		name_add(&c->users, s->name);
	else if (s->kind == SEL_TAG)
		name_add(&c->tags, s->name);
}

/* What asks is a device; what is asked for may be anything, but for addresses as Tailscale gives them out. */
static void addr_add(struct cast *c, const struct selector *s, bool asks)
{
	struct ip_prefix tailnet;

	if (s->kind == SEL_PREFIX && c->n_addrs < NAMES_MAX && ip_prefix_parse("100.64.0.0/10", &tailnet, NULL) == 0 &&
	    (asks || ip_prefix_contains(&tailnet, &s->prefix.addr)))
		c->addrs[c->n_addrs++] = &s->prefix.addr;
}

static void cast_find(const struct doc_policy *p, struct cast *c)
{
	for (uint32_t i = 0; i < p->n_tags; i++)
		name_add(&c->tags, p->tags[i].name);
	for (uint32_t i = 0; i < p->n_groups; i++)
		for (uint32_t k = 0; p->groups[i].members[k] != NULL; k++)
			name_add(&c->users, p->groups[i].members[k]);
	for (uint32_t i = 0; i < p->n_rules; i++) {
		for (uint32_t k = 0; k < p->rules[i].n_srcs; k++)
			selector_add(c, &p->rules[i].srcs[k]);
		for (uint32_t k = 0; k < p->rules[i].n_dsts; k++)
			selector_add(c, &p->rules[i].dsts[k].sel);
	}
	for (uint32_t i = 0; i < p->n_tests; i++) {
		const struct doc_test *t = &p->tests[i];

		selector_add(c, &t->src);
		addr_add(c, &t->src, /* asks= */ true);
		for (uint32_t k = 0; k < t->n_accept; k++) {
			selector_add(c, &t->accept[k].sel);
			addr_add(c, &t->accept[k].sel, /* asks= */ false);
		}
	}
	name_add(&c->users, "member@example.com");
}

/* Networks that rules reach via @tag, as a list of JSON. */
static void routes_put(FILE *out, const struct doc_policy *p, const char *tag)
{
	const char *comma = "";
	char text[IP_TEXT_MAX];

	for (uint32_t i = 0; i < p->n_rules; i++) {
		const struct doc_rule *r = &p->rules[i];
		bool via = false;

		for (uint32_t k = 0; r->via != NULL && r->via[k] != NULL; k++)
			via = via || strcmp(r->via[k], tag) == 0;
		for (uint32_t d = 0; via && d < r->n_dsts; d++) {
			const struct selector *s = &r->dsts[d].sel;

			for (uint32_t k = 0; s->kind == SEL_RANGES && k < s->n_ranges; k++) {
				struct ip_prefix net = { .addr = s->ranges[k].first };

				/* The policies' sets hold whole networks: the length is where first and last part. */
				for (net.len = net.addr.family == IP_V4 ? 32 : 128; net.len > 0; net.len--) {
					struct ip_prefix wider = { net.addr, (uint8_t)(net.len - 1) };
					struct ip_range range = ip_prefix_range(&wider);

					if (ip_addr_cmp(&range.first, &s->ranges[k].first) < 0 ||
					    ip_addr_cmp(&range.last, &s->ranges[k].last) > 0)
						break;
				}
				(void)fprintf(out, "%s\"%s\"", comma, ip_prefix_print(&net, text));
				comma = ", ";
			}
		}
	}
}

/* @owner: index of who has the addresses: tags first, then users. */
static char *devices_text(const struct doc_policy *p, const struct cast *c, uint32_t owner)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	char addr[IP_TEXT_MAX];
	uint32_t n = 1;

	if (out == NULL)
		return NULL;
	(void)fputs("{\"devices\": [\n", out);
	for (uint32_t i = 0; i < c->tags.n; i++, n++) {
		(void)fprintf(out,
			      "{\"name\": \"t%u\", \"addresses\": [\"100.127.%u.%u\", \"fd7a:115c:a1e0:ffff::%x\"], "
			      "\"tags\": [\"%s\"], \"routes\": [",
			      i, n / 250, n % 250 + 1, n, c->tags.items[i]);
		routes_put(out, p, c->tags.items[i]);
		(void)fputs("]},\n", out);
	}
	for (uint32_t i = 0; i < c->users.n; i++, n++)
		(void)fprintf(out,
			      "{\"name\": \"u%u\", \"addresses\": [\"100.127.%u.%u\", \"fd7a:115c:a1e0:ffff::%x\"], "
			      "\"user\": \"%s\"},\n",
			      i, n / 250, n % 250 + 1, n, c->users.items[i]);
	for (uint32_t i = 0; i < c->n_addrs; i++) {
		bool again = false, tag = owner < c->tags.n;
		const char *who = tag ? c->tags.items[owner] : c->users.items[owner - c->tags.n];

		for (uint32_t k = 0; k < i; k++)
			again = again || ip_addr_cmp(c->addrs[k], c->addrs[i]) == 0;
		if (!again)
			(void)fprintf(out, "{\"name\": \"a%u\", \"addresses\": [\"%s\"], \"%s\": %s\"%s\"%s},\n", i,
				      ip_addr_print(c->addrs[i], addr), tag ? "tags" : "user", tag ? "[" : "", who,
				      tag ? "]" : "");
	}
	(void)fputs("]}\n", out);
	return fclose(out) == 0 ? text : NULL;
}

static void why_add(struct score *s, const char *msg)
{
	size_t len = strlen(s->why);

	if (strstr(s->why, msg) == NULL)
		(void)snprintf(s->why + len, sizeof(s->why) - len, "%s%s", len > 0 ? "; " : "", msg);
}

/* Each test by itself, so that none hides another. */
static void tests_score(struct arena *mem, const struct doc_policy *p, const struct doc_devices *d, struct score *ret)
{
	struct compile_env env = { 0 };

	for (uint32_t i = 0; i < p->n_tests; i++) {
		struct doc_policy one = *p;
		struct diag_list *diags = arena_alloc(mem, sizeof(*diags));

		if (diags == NULL)
			return;
		diag_init(diags, mem);
		one.tests = &p->tests[i];
		one.n_tests = 1;
		one.n_ssh_tests = 0; /* the devices are made up for the tests of packets */
		if (evaluate_tests(&one, d, &env, NULL, NULL, NULL, diags) != 0)
			ret->failed++;
		else if (diags->n_warnings != 0)
			ret->not_run++;
		else
			ret->held++;
		for (uint32_t k = 0; k < diags->n; k++)
			why_add(ret, diags->items[k].msg);
	}
}

/* The best score over all who could have the named addresses. */
static int best_score(struct arena *mem, const struct doc_policy *p, struct cast *c, struct score *best,
		      const char **ret_owner)
{
	uint32_t n = c->n_addrs != 0 ? c->tags.n + c->users.n : 1;

	*best = (struct score){ .failed = UINT32_MAX };
	for (uint32_t owner = 0; owner < n; owner++) {
		CLEANUP(freep) char *text = devices_text(p, c, owner);
		struct diag_list *diags = arena_alloc(mem, sizeof(*diags));
		struct source *src = text != NULL ? source_new(mem, "derived", text, strlen(text)) : NULL;
		struct doc_devices *d;
		struct score s = { 0 };

		if (src == NULL || diags == NULL)
			return -ENOMEM;
		diag_init(diags, mem);
		d = document_devices(mem, src, diags);
		if (d == NULL) {
			diag_print(diags, stderr);
			return -EINVAL;
		}
		if (owner == 0) {
			struct compile_env env = { 0 };
			struct plan *plan = NULL;
			int r = plan_compile(p, d, &env, diags, &plan);

			plan = plan_free(plan);
			if (r < 0)
				return r;
		}
		tests_score(mem, p, d, &s);
		if (s.failed < best->failed || (s.failed == best->failed && s.not_run < best->not_run)) {
			*best = s;
			*ret_owner = c->n_addrs == 0	 ? NULL
				     : owner < c->tags.n ? c->tags.items[owner]
							 : c->users.items[owner - c->tags.n];
		}
	}
	return 0;
}

/* What the formatter makes of it has the same layout when formatted again, and is read to the same end. */
static bool format_holds(struct arena *mem, const struct source *src, struct diag_list *diags)
{
	CLEANUP(freep) char *once = NULL, *twice = NULL;
	size_t len1 = 0, len2 = 0;
	FILE *out = open_memstream(&once, &len1);
	struct source *again;
	int r;

	if (out == NULL)
		return false;
	r = format_hujson(mem, src, diags, out);
	(void)fclose(out);
	again = r == 0 ? source_new(mem, "formatted", once, len1) : NULL;
	out = open_memstream(&twice, &len2);
	if (out == NULL)
		return false;
	r = again != NULL ? format_hujson(mem, again, diags, out) : -EINVAL;
	(void)fclose(out);
	return r == 0 && len1 == len2 && memcmp(once, twice, len1) == 0 &&
	       hj_same(hujson_parse(mem, src, diags), hujson_parse(mem, again, diags));
}

/* "P0201 P0308": each code of an error once, in order of their first. */
static void codes_put(const struct diag_list *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		bool again = l->items[i].level != DIAG_ERROR;

		for (uint32_t k = 0; k < i; k++)
			again = again ||
				(l->items[k].level == DIAG_ERROR && strcmp(l->items[k].code, l->items[i].code) == 0);
		if (!again)
			printf(" %s", l->items[i].code);
	}
}

static int policy_judge(struct arena *mem, struct diag_list *diags, const char *file, const char *text, size_t len)
{
	const char *base = strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file, *owner = NULL;
	struct source *src = source_new(mem, base, text, len);
	struct cast *c = arena_alloc(mem, sizeof(*c));
	struct doc_policy *p;
	struct score s;

	if (src == NULL || c == NULL)
		return -ENOMEM;
	p = document_policy(mem, src, diags);
	if (p == NULL) {
		printf("%s\trefuse", base);
		codes_put(diags);
		printf("\t-\t-\t-\t%s\n", diags->n != 0 ? diags->items[0].msg : "");
		return 0;
	}
	cast_find(p, c);
	if (!format_holds(mem, src, diags) || best_score(mem, p, c, &s, &owner) < 0)
		return -EINVAL;
	/* To whom, but not by name: the table may be shown to others. */
	printf("%s\taccept\t%u\t%u\t%u\t%s%s%s\n", base, s.held, s.failed, s.not_run, s.why,
	       owner != NULL && s.why[0] != '\0' ? "; " : "",
	       owner == NULL			? ""
	       : strncmp(owner, "tag:", 4) == 0 ? "addresses that tests name are given to a tag"
						: "addresses that tests name are given to a user");
	return 0;
}

int main(int argc, char **argv)
{
	CLEANUP(freep) char *text = malloc(TEXT_BYTES);

	for (int i = 1; i < argc; i++) {
		CLEANUP(arena_freep) struct arena *mem = arena_new(0);
		struct diag_list *diags = mem != NULL ? arena_alloc(mem, sizeof(*diags)) : NULL;
		FILE *in = fopen(argv[i], "re");
		size_t len;

		if (in == NULL || diags == NULL || text == NULL) {
			(void)fprintf(stderr, "%s: cannot be read\n", argv[i]);
			return 1;
		}
		diag_init(diags, mem);
		len = fread(text, 1, TEXT_BYTES, in);
		(void)fclose(in);
		if (policy_judge(mem, diags, argv[i], text, len) < 0) {
			(void)fprintf(stderr, "%s: cannot be compiled or formatted\n", argv[i]);
			return 1;
		}
	}
	return 0;
}
