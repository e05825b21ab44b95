/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a policy costs: reading, compiling, loading, and one device's change. Called by policy.sh, in a process of its
 * own for each size, so that its peak of memory is that size's. usage: policy_cost DIR    with the files of policy_gen;
 * prints one row of a Markdown table
 *
 * The kernel's part is in a network namespace of the process; without root it is left out ("-"). */
#include "docs.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include "gatewayd/nft_apply.h"
#include "gatewayd/nft_diff.h"
#include "policy/lower_nft.h"

struct cost {
	double read_s, compile_s, lower_s, load_s, change_s, commit_s;
	uint64_t boxes, elems;
	struct nft_apply_result change;
	long peak_kb;
	bool kernel;
};

static double now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct nft_prog *prog_of(const struct plan *p)
{
	static const struct ip_prefix cgnat = { .addr = { .family = IP_V4, .bytes = { 100, 64 } }, .len = 10 };
	const struct nft_env env = { .tunnel = "wg0",
				     .tunnel_nets = &cgnat,
				     .n_tunnel_nets = 1,
				     .dns_port = 53,
				     .hooks = true,
				     .log_drops = true };
	struct nft_prog *prog = NULL;
	struct err e = { 0 };

	if (lower_nft(p, &env, &prog, &e) < 0)
		die("lower", &e);
	return prog;
}

static uint64_t boxes_of(const struct plan *p)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < p->n_classes; i++)
		n += p->classes[i].n_boxes + p->classes[i].n_self;
	for (uint32_t i = 0; i < p->n_parts; i++)
		n += p->parts[i].n_boxes;
	return n;
}

static long peak_kb(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

/* Load @from, then its difference to @to. */
static void measure_kernel(struct cost *c, const struct nft_prog *from, const struct nft_prog *to)
{
	struct nft_channel *ch = NULL;
	struct nft_apply_result res;
	struct err e = { 0 };
	double t;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) == -1)
		return;
	if (nft_channel_open(&ch, &e) < 0 || nft_channel_probe(ch, &e) < 0)
		die("netlink", &e);
	t = now_s();
	if (nft_apply(ch, NULL, from, NULL, 0, &res, &e) < 0)
		die("load", &e);
	c->load_s = now_s() - t;
	c->elems = res.elems_added;
	t = now_s();
	if (nft_apply(ch, from, to, NULL, 0, &c->change, &e) < 0)
		die("change", &e);
	c->commit_s = now_s() - t;
	c->kernel = true;
	(void)nft_channel_free(ch);
}

static void measure(const char *dir, struct cost *c)
{
	struct docs old = docs_read(dir, "devices.hujson"), new;
	struct plan *from, *to;
	struct nft_prog *from_prog, *to_prog;
	struct arena *mem = arena_new(0);
	struct nft_diff diff;
	struct err e = { 0 };
	double t;

	from = plan_of(&old);
	from_prog = prog_of(from);
	new = docs_read(dir, "devices2.hujson");
	c->read_s = now_s();
	(void)arena_free(new.mem);
	new = docs_read(dir, "devices2.hujson");
	c->read_s = now_s() - c->read_s;
	t = now_s();
	to = plan_of(&new);
	c->compile_s = now_s() - t;
	t = now_s();
	if (plan_keep_ids(to, from) < 0)
		die("ids", NULL);
	to_prog = prog_of(to);
	c->lower_s = now_s() - t;
	t = now_s();
	if (mem == NULL || nft_diff(from_prog, to_prog, mem, &diff, &e) < 0)
		die("diff", &e);
	c->change_s = now_s() - t;
	c->boxes = boxes_of(to);
	c->peak_kb = peak_kb();
	(void)arena_free(mem);
	measure_kernel(c, from_prog, to_prog);
	(void)nft_prog_free(from_prog);
	(void)nft_prog_free(to_prog);
	(void)plan_free(from);
	(void)plan_free(to);
	(void)arena_free(old.mem);
	(void)arena_free(new.mem);
}

int main(int argc, char **argv)
{
	struct cost c = { 0 };

	if (argc != 2) {
		(void)fprintf(stderr, "usage: policy_cost DIR\n");
		return 2;
	}
	measure(argv[1], &c);
	(void)printf("%.3f | %.3f | %.3f | %.1f | %ld | %llu | ", c.read_s, c.compile_s, c.lower_s, c.change_s * 1e3,
		     c.peak_kb / 1024, (unsigned long long)c.boxes);
	if (c.kernel)
		(void)printf("%llu | %.2f | %.1f | %u + %u | %zu |\n", (unsigned long long)c.elems, c.load_s,
			     c.commit_s * 1e3, c.change.elems_removed, c.change.elems_added, c.change.bytes);
	else
		(void)printf("- | - | - | - | - |\n");
	return 0;
}
