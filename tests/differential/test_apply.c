/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Four ways to one table: the difference to what was there applied, the whole loaded afresh, either with its sets
 * filled ahead in chunks as only large ones are, and the text that `sluice compile --format nft` prints loaded by the
 * nft tool. What nft lists afterwards is the same, block by block. Random policies and devices; each difference starts
 * from the policy before.
 *
 * usage: test_apply [--seed N] [--policies N]    the seed of a policy that differs is printed
 *
 * Each table in a network namespace of its own. Needs root; else skipped. */
#include "../unit/policy/random_policy.h"

#include "gatewayd/nft_apply.h"
#include "gatewayd/nft_dump.h"
#include "gatewayd/nft_fill.h"
#include "options.h"
#include "policy/lower_nft.h"

#include <fcntl.h>
#include <sched.h>

#define POLICIES   25
#define BLOCKS_MAX 512
/* Elements of a chunk, so that what these policies have is large; and how often all is put anew, over what is there. */
#define CHUNK	    3
#define WHOLE_EVERY 4

static struct options options = { 1, POLICIES };

/* A namespace with a table. */
struct place {
	int ns;
	struct nft_channel *ch;
	struct nft_prog *running;
	struct err e;
};

static void enter(const struct place *p)
{
	assert_int_equal(setns(p->ns, CLONE_NEWNET), 0);
}

/* The process is in it afterwards. */
static void place_open(struct place *p)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	p->ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(p->ns, -1);
	assert_int_equal(nft_channel_open(&p->ch, &p->e), 0);
	assert_int_equal(nft_channel_probe(p->ch, &p->e), 0);
}

static void place_close(struct place *p)
{
	(void)nft_prog_free(p->running);
	(void)nft_channel_free(p->ch);
	fd_closep(&p->ns);
}

static struct nft_prog *lowered(const struct plan *plan)
{
	static const struct ip_prefix nets[] = {
		{ .addr = { .family = IP_V4, .bytes = { 100, 64 } }, .len = 10 },
		{ .addr = { .family = IP_V6, .bytes = { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0 } }, .len = 48 },
	};
	const struct nft_env env = { .tunnel = "wg0",
				     .tunnel_nets = nets,
				     .n_tunnel_nets = 2,
				     .tunnel_port = 51820,
				     .dns_port = 53,
				     .dns_capture = true,
				     .hooks = true,
				     .log_drops = true };
	struct nft_prog *prog = NULL;

	assert_int_equal(lower_nft(plan, &env, &prog, NULL), 0);
	return prog;
}

static void apply(struct place *p, const struct plan *plan, bool whole)
{
	struct nft_apply_result res;
	struct nft_prog *next = lowered(plan);

	enter(p);
	if (nft_apply(p->ch, whole ? NULL : p->running, next, NULL, 0, &res, &p->e) < 0)
		fail_msg("apply: %s", p->e.msg);
	(void)nft_prog_free(p->running);
	p->running = next;
}

/* As gatewayd does it with large sets. */
static void apply_chunks(struct place *p, const struct plan *plan, bool whole)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	const struct nft_prog *from = whole ? NULL : p->running;
	struct nft_prog *next = lowered(plan), found = { 0 };
	struct nft_apply_result res;

	enter(p);
	nft_channel_set_chunk(p->ch, CHUNK);
	if (nft_dump_table(p->ch, mem, &found, &p->e) < 0 && p->running != NULL)
		fail_msg("dump: %s", p->e.msg);
	assert_int_equal(nft_fill_names(next, from, &found, CHUNK), 0);
	if (nft_apply(p->ch, from, next, NULL, 0, &res, &p->e) < 0)
		fail_msg("apply in chunks: %s", p->e.msg);
	(void)nft_prog_free(p->running);
	p->running = next;
}

/* All that @command prints; free(). */
static char *output_of(const char *command)
{
	char *text = NULL;
	size_t len = 0;
	FILE *in = popen(command, "r"), *out = open_memstream(&text, &len);
	int c;

	assert_non_null(in);
	assert_non_null(out);
	while ((c = fgetc(in)) != EOF)
		(void)fputc(c, out);
	assert_int_equal(fclose(out), 0);
	if (pclose(in) != 0)
		fail_msg("%s:\n%s", command, text);
	return text;
}

static int text_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The elements of a set as nft lists it, whose order says nothing either: one a line, sorted. */
static void put_set(char *block, FILE *out)
{
	CLEANUP(freep) const char **items = calloc(strlen(block) + 1, sizeof(*items));
	char *save = NULL;
	size_t n = 0;

	assert_non_null(items);
	for (char *at = strtok_r(block, ",\n", &save); at != NULL; at = strtok_r(NULL, ",\n", &save)) {
		size_t len;

		at += strspn(at, "\t ");
		at += strncmp(at, "elements = { ", 13) == 0 ? 13 : 0;
		for (len = strlen(at); len != 0 && strchr(" }", at[len - 1]) != NULL;)
			at[--len] = '\0';
		items[n++] = at;
	}
	qsort(items, n, sizeof(*items), text_cmp);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(out, "%s\n", items[i]);
}

/* The listing with its blocks (sets, chains) by name: in which order they were made says nothing. Comments are the
 * text's alone, and who owns the table is the other's. free(). */
static char *listing(void)
{
	CLEANUP(freep)
	char *text = output_of("nft list table inet sluice 2>&1 | sed -e 's/ comment \".*\"$//' "
			       "-e 's/_b\\b//g' -e '/^table inet sluice/d' -e '/^\\tflags owner/d' -e '/^}/d' 2>&1");
	char *blocks[BLOCKS_MAX];
	char *sorted = NULL, *next;
	size_t len = 0, n = 0;
	FILE *out = open_memstream(&sorted, &len);

	assert_non_null(out);
	for (char *at = text; at != NULL; at = next) {
		next = strstr(at, "\n\n");
		if (next != NULL) {
			*next = '\0';
			next += 2;
		}
		at += strspn(at, "\n");
		for (len = strlen(at); len != 0 && at[len - 1] == '\n';)
			at[--len] = '\0';
		assert_true(n < BLOCKS_MAX);
		blocks[n++] = at;
	}
	qsort(blocks, n, sizeof(*blocks), text_cmp);
	for (size_t i = 0; i < n; i++) {
		if (strncmp(blocks[i], "\tchain", 6) == 0)
			(void)fprintf(out, "%s\n", blocks[i]);
		else
			put_set(blocks[i], out);
	}
	assert_int_equal(fclose(out), 0);
	return sorted;
}

/* The text of @plan's program through the nft tool. */
static char *listing_of_text(const struct place *p, const struct plan *plan)
{
	struct nft_prog *prog = lowered(plan);
	FILE *out;

	enter(p);
	out = popen("nft -f - 2>&1", "w");
	assert_non_null(out);
	(void)fputs("add table inet sluice\ndelete table inet sluice\n", out);
	nft_prog_print(prog, out);
	assert_int_equal(pclose(out), 0);
	(void)nft_prog_free(prog);
	return listing();
}

static void assert_same(const char *what, const char *a, const char *b, uint32_t policy_seed)
{
	size_t at = 0;

	if (strcmp(a, b) == 0)
		return;
	while (a[at] != '\0' && a[at] == b[at])
		at++;
	while (at > 0 && a[at - 1] != '\n')
		at--;
	(void)fprintf(stderr, "--seed %u --policies 2: %s differ:\n%.300s\n---\n%.300s\n", policy_seed, what, a + at,
		      b + at);
	fail();
}

/* The family without some of its members, in another order, and some are somebody else's. */
static void put_devices(struct text *t)
{
	static const char *const owners[] = { "\"user\": \"ana@example.com\"", "\"user\": \"ben@example.com\"",
					      "\"tags\": [\"tag:server\"]", "\"tags\": [\"tag:server\", \"tag:db\"]",
					      "\"tags\": [\"tag:tv\"], \"routes\": [\"10.50.0.0/16\"]" };
	uint32_t first = roll(8);

	put(t, "{\"users\": [\"ana@example.com\", \"ben@example.com\"], \"devices\": [");
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t d = (first + i) % 8;

		if (roll(5) == 0)
			continue;
		put(t, "{\"name\": \"d%u\", \"addresses\": [\"100.64.0.%u\"", d, d + 2);
		if (roll(2))
			put(t, ", \"fd7a:115c:a1e0::%x\"", d + 2);
		put(t, "], %s%s},", PICK(owners), roll(8) == 0 ? ", \"state\": \"quarantined\"" : "");
	}
	put(t, "]}");
}

static bool has_other_name(const struct nft_prog *p)
{
	for (uint32_t i = 0; i < p->n_sets; i++) {
		size_t len = strlen(p->sets[i].name);

		if (len > 2 && strcmp(p->sets[i].name + len - 2, "_b") == 0)
			return true;
	}
	return false;
}

static void four_ways_lead_to_one_table(void **state)
{
	struct place differing = { .ns = -1 }, fresh = { .ns = -1 }, texts = { .ns = -1 }, chunks = { .ns = -1 };
	uint32_t others = 0;
	CLEANUP(world_done) struct world before = { 0 };

	place_open(&differing);
	place_open(&fresh);
	place_open(&texts);
	place_open(&chunks);
	print_message("seed %u, %u policies\n", options.seed, options.policies);
	for (uint32_t i = 0; i < options.policies; i++) {
		CLEANUP(freep) char *a = NULL;
		CLEANUP(freep) char *b = NULL;
		CLEANUP(freep) char *c = NULL;
		CLEANUP(freep) char *d = NULL;
		struct text policy = { .len = 0 }, devices = { .len = 0 };
		struct world now;

		seed = options.seed + i * 7919;
		put_policy(&policy);
		put_devices(&devices);
		world_compile(&now, policy.buf, devices.buf);
		if (before.plan != NULL)
			assert_int_equal(plan_keep_ids(now.plan, before.plan), 0);
		apply(&differing, now.plan, /* whole= */ before.plan == NULL);
		a = listing();
		apply(&fresh, now.plan, /* whole= */ true);
		b = listing();
		c = listing_of_text(&texts, now.plan);
		apply_chunks(&chunks, now.plan, before.plan == NULL || i % WHOLE_EVERY == 0);
		others += has_other_name(chunks.running);
		d = listing();
		assert_true(strstr(a, "chain from_device") != NULL);
		assert_same("difference and whole", a, b, options.seed + (i != 0 ? i - 1 : 0) * 7919);
		assert_same("whole and text", b, c, options.seed + (i != 0 ? i - 1 : 0) * 7919);
		assert_same("whole and in chunks", b, d, options.seed + (i != 0 ? i - 1 : 0) * 7919);
		world_done(&before);
		before = now;
	}
	place_close(&differing);
	place_close(&fresh);
	place_close(&texts);
	place_close(&chunks);
	/* Else nothing was filled beside what was there. */
	assert_true(options.policies < 10 || others != 0);
	print_message("%u programs with sets by their other names\n", others);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(four_ways_lead_to_one_table) };

	if (!options_parse(&options, 0, argc, argv))
		return 2;
	if (geteuid() != 0)
		return 77;
	return cmocka_run_group_tests_name("apply", tests, NULL, NULL);
}
