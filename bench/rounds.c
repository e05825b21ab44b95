/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rounds.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "gatewayd/gate.h"
#include "gatewayd/nft_apply.h"
#include "gatewayd/rtnl.h"
#include "policy/lower_nft.h"

static const char nat_alone[] = "nft 'table inet nat_alone { chain p { type nat hook postrouting priority srcnat; "
				"iifname wg0 oifname != wg0 masquerade; }; }'";

void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		die("memory", NULL);
	return p;
}

double wall_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

double cpu_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_stime.tv_sec + u.ru_utime.tv_sec) * 1e6 +
	       (double)(u.ru_stime.tv_usec + u.ru_utime.tv_usec);
}

struct ip_addr addr_v4(uint32_t a)
{
	return (struct ip_addr){ IP_V4, { (uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a } };
}

struct ip_addr ruleset_device(const struct ruleset *r, uint32_t number)
{
	return r->plan != NULL ? r->plan->devices[number % r->plan->n_devices].addrs[0]
			       : addr_v4(0x64400000u | (number & 0x3fffffu));
}

#define LINKS_MAX 64

/* As the gateway does it: at the tunnel, and at every other interface. */
static void close_gate(void)
{
	uint32_t links[LINKS_MAX], n = 0, tunnel = rtnl_link_index("wg0");
	struct gate *g = NULL;
	struct err e = { 0 };

	if (gate_open(&g, &e) < 0 || rtnl_links(links, LINKS_MAX, &n, &e) < 0)
		die("gate", &e);
	for (uint32_t i = 0; i < n; i++) {
		if ((links[i] == tunnel ? gate_attach_tunnel(g, links[i], &e) : gate_attach_other(g, links[i], &e)) < 0)
			die("gate", &e);
	}
	(void)gate_free(g);
}

static void plan_load(const struct plan *p, bool gate)
{
	static const struct ip_prefix nets[] = {
		{ .addr = { .family = IP_V4, .bytes = { 100, 64 } }, .len = 10 },
	};
	/* A mark that no routing rule asks for: what is steered goes on as before. */
	static const struct egress way = { .name = "way", .kind = EGRESS_MARK, .mark = 2, .mask = 2 };
	static const struct egress_list ways = { &way, 1 };
	const struct nft_env env = { .tunnel = "wg0",
				     .tunnel_nets = nets,
				     .n_tunnel_nets = 1,
				     .dns_port = 53,
				     .egress = &ways,
				     .gate_pass = gate ? GATE_PASS_PRIORITY : 0,
				     .hooks = true,
				     .log_drops = true };
	struct nft_apply_result res;
	struct nft_channel *ch = NULL;
	struct nft_prog *prog = NULL;
	struct err e = { 0 };

	if (lower_nft(p, &env, &prog, &e) < 0 || nft_channel_open(&ch, &e) < 0 || nft_channel_probe(ch, &e) < 0 ||
	    nft_apply(ch, NULL, prog, NULL, 0, &res, &e) < 0)
		die("load", &e);
	/* The table stays, without an owner. */
	(void)nft_channel_free(ch);
	(void)nft_prog_free(prog);
	if (gate)
		close_gate();
}

struct ruleset ruleset_load(const char *spec)
{
	const char *dir = strchr(spec, ':');
	struct ruleset r = { .nat = strcmp(spec, "none") != 0 };
	char command[4200];
	struct docs docs;

	if (strcmp(spec, "nat") == 0 && system(nat_alone) != 0)
		die("nft", NULL);
	if (dir == NULL)
		return r;
	docs = docs_read(dir + 1, "devices.hujson");
	r.plan = plan_of(&docs);
	if (spec[0] == 'p' || spec[0] == 'g') {
		plan_load(r.plan, spec[0] == 'g');
		return r;
	}
	(void)snprintf(command, sizeof(command), "nft -f '%s/rules.nft'", dir + 1);
	if (system(command) != 0)
		die(command, NULL);
	return r;
}

/* The process of one ruleset: a byte asks for a round, the end of the channel for the end. */
static _Noreturn void serve(const struct rounds_of *of, const char *spec, int fd)
{
	double values[ROUNDS_VALUES_MAX] = { 0 };
	void *ctx = of->begin(spec);
	char c;

	(void)!write(fd, "", 1);
	while (read(fd, &c, 1) == 1) {
		of->round(ctx, values);
		if (write(fd, values, sizeof(values)) != sizeof(values))
			break;
	}
	of->end(ctx);
	_exit(0);
}

static int begin(const struct rounds_of *of, const char *spec)
{
	int fds[2];
	pid_t pid;
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == -1)
		die("channel", NULL);
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		serve(of, spec, fds[1]);
	}
	(void)close(fds[1]);
	if (pid == -1 || read(fds[0], &c, 1) != 1)
		die(spec, NULL);
	return fds[0];
}

static int double_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void one_round(int fd, double values[ROUNDS_VALUES_MAX])
{
	if (write(fd, "", 1) != 1 ||
	    recv(fd, values, ROUNDS_VALUES_MAX * sizeof(*values), MSG_WAITALL) != ROUNDS_VALUES_MAX * sizeof(*values))
		die("round", NULL);
}

double (*rounds_run(const struct rounds_of *of, char *const *specs, uint32_t n))[ROUNDS_VALUES_MAX]
{
	double(*ret)[ROUNDS_VALUES_MAX] = zeroed(n, sizeof(*ret));
	double(*all)[ROUNDS_VALUES_MAX] = zeroed((size_t)n * of->n_rounds, sizeof(*all));
	double *column = zeroed(of->n_rounds, sizeof(*column));
	int *fds = zeroed(n, sizeof(*fds));

	for (uint32_t i = 0; i < n; i++) {
		fds[i] = begin(of, specs[i]);
		one_round(fds[i], ret[i]);
	}
	for (uint32_t k = 0; k < of->n_rounds; k++)
		for (uint32_t i = 0; i < n; i++)
			one_round(fds[i], all[i * of->n_rounds + k]);
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t v = 0; v < of->n_values; v++) {
			for (uint32_t k = 0; k < of->n_rounds; k++)
				column[k] = all[i * of->n_rounds + k][v];
			qsort(column, of->n_rounds, sizeof(*column), double_cmp);
			ret[i][v] = column[of->n_rounds / 2];
		}
		(void)close(fds[i]);
	}
	while (wait(NULL) > 0)
		;
	free(all);
	free(column);
	free(fds);
	return ret;
}
