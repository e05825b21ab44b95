/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A set of a million: what loading it costs, and one element more, through our encoder and through the nft program.
 * Called by sets.sh. usage: set_cost nets|nets6|leases N ours|nft    prints one row of a Markdown table
 *
 * nets: disjoint IPv4 prefixes as an interval map of numbers, which is what the destinations of a policy with countries
 * and address lists become (`widenet4`). leases: client . address with a timeout, what the resolver learns. Both sides
 * load the same table, each in a process of its own, whose processor time and peak of memory are what is printed; ours
 * builds the program in it, and sends it as gatewayd does; nft reads it from a file. Everything is in a network
 * namespace of the process. */
#include "docs.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "gatewayd/nft_apply.h"
#include "gatewayd/nft_encode.h"
#include "policy/lower_nft.h"
#include "policy/prog_build.h"

#define MAP_NAME      "widenet4"
#define LEASE_MARK    7u
#define LEASE_LEFT_US (3600u * 1000000ull)
#define SINGLES	      1001 /* single changes, for a median; fewer where they take longer than SINGLES_US together */
#define SINGLES_US    4e6
#define NFT_SINGLES   5 /* runs of a program that takes seconds */
#define NUMBERS	      1000u
#define LEASE_CLIENTS 4096u
#define FIRST_NET     0x01000000u /* 1.0.0.0 */
#define NET_STEP      512u	  /* every second /24: seven million are possible */

struct subject {
	bool leases, nets6;
	uint32_t n;
	struct nft_prog *prog; /* the table, of leases without its elements */
	struct lease_op *ops;
};

struct measured {
	double wall_s, cpu_s;
	long peak_kb;
	double kernel_mb;
};

static double now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static struct ip_addr v4(uint32_t a)
{
	return (struct ip_addr){ IP_V4, { (uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a } };
}

/* The /24 that begins at @first, or the /48 of that number. */
static void net_at(struct nft_elem *el, bool six, uint32_t first)
{
	struct ip_addr lo = v4(first), hi = v4(first | 255);
	size_t at_lo = 0, at_hi = 0;

	if (six) {
		lo = (struct ip_addr){ .family = IP_V6, .bytes = { 0x20, 0x01 } };
		memcpy(lo.bytes + 2, v4(first).bytes, 4);
		hi = lo;
		memset(hi.bytes + 6, 0xff, 10);
	}
	key_addr(&el->lo, &at_lo, &lo);
	key_addr(&el->hi, &at_hi, &hi);
}

/* Number @i: with a gap behind each, so that none are joined. */
static void net_elem(struct nft_elem *el, bool six, uint32_t i)
{
	*el = (struct nft_elem){ .number = i % NUMBERS + 1 };
	net_at(el, six, FIRST_NET + i * NET_STEP);
}

static struct lease_op lease_nr(uint32_t i)
{
	return (struct lease_op){
		.client = v4(0x64400000u + i % LEASE_CLIENTS),
		.lease = { .addr = v4(FIRST_NET + i / LEASE_CLIENTS * 7),
			   .mark = LEASE_MARK,
			   .expires_us = LEASE_LEFT_US },
	};
}

/* The table: the set, and a chain without a hook that uses it. */
static void subject_build(struct subject *s)
{
	struct prog_build b = { .mem = arena_new(0) };
	enum nft_field field = s->nets6 ? NFT_F_IP6_DADDR : NFT_F_IP_DADDR;
	char name[NFT_NAME_MAX];

	learned_set_name(LEASE_MARK, IP_V4, name);
	if (b.mem == NULL)
		die("memory", NULL);
	if (s->leases) {
		s->ops = calloc(s->n, sizeof(*s->ops));
		for (uint32_t i = 0; s->ops != NULL && i < s->n; i++)
			s->ops[i] = lease_nr(i);
		prog_set(&b, &(struct nft_set){ .name = prog_name(&b, "%s", name),
						.fields = { NFT_F_IP_SADDR, NFT_F_IP_DADDR },
						.n_fields = 2,
						.timeout = true });
		prog_stmt(&b, &(struct nft_stmt){ .kind = NFT_S_MATCH,
						  .set = prog_name(&b, "%s", name),
						  .fields = { NFT_F_IP_SADDR, NFT_F_IP_DADDR },
						  .n_fields = 2 });
		prog_stmt(&b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_ACCEPT });
	} else {
		struct nft_elem *elems = prog_elems(&b, s->n);

		for (uint32_t i = 0; elems != NULL && i < s->n; i++)
			net_elem(&elems[i], s->nets6, i);
		prog_set(&b, &(struct nft_set){ .name = MAP_NAME,
						.fields = { field },
						.n_fields = 1,
						.map = NFT_MAP_NUMBER,
						.interval = true,
						.elems = elems,
						.n_elems = s->n });
		prog_stmt(&b, &(struct nft_stmt){
				      .kind = NFT_S_NUMBER_OF, .set = MAP_NAME, .fields = { field }, .n_fields = 1 });
	}
	prog_rule(&b, NULL);
	prog_chain(&b, &(struct nft_chain){ .name = "uses_it" });
	if ((s->leases && s->ops == NULL) || prog_finish(&b, &s->prog) < 0)
		die("memory", NULL);
	prog_build_done(&b);
}

static struct nft_channel *channel(void)
{
	struct nft_channel *ch = NULL;
	struct err e = { 0 };

	/* Not probed: the table has no owner, so that several processes may change it. */
	if (nft_channel_open(&ch, &e) < 0)
		die("netlink", &e);
	return ch;
}

static void send_batch(struct nft_channel *ch, struct nft_batch *b)
{
	struct err e = { 0 };

	if (nft_batch_finish(b, &e) < 0 || nft_channel_send(ch, b, false, NULL, &e) < 0)
		die("batch", &e);
	(void)nft_batch_free(b);
}

static struct nft_batch *batch(struct nft_channel *ch)
{
	struct nft_batch *b = NULL;
	struct err e = { 0 };

	if (nft_channel_batch(ch, 0, &b, &e) < 0)
		die("batch", &e);
	return b;
}

static _Noreturn void load_ours(struct subject *s)
{
	struct nft_apply_result res;
	struct nft_channel *ch = channel();
	struct err e = { 0 };

	subject_build(s);
	if (nft_apply(ch, NULL, s->prog, NULL, 0, &res, &e) < 0)
		die("load", &e);
	if (s->leases) {
		struct nft_batch *b = batch(ch);

		nft_put_leases(b, s->ops, s->n, 0, true);
		send_batch(ch, b);
	}
	_exit(0);
}

static void text_write(struct subject *s, const char *path)
{
	FILE *out = fopen(path, "we");
	char client[IP_TEXT_MAX], addr[IP_TEXT_MAX];

	if (out == NULL)
		die(path, NULL);
	subject_build(s);
	nft_prog_print(s->prog, out);
	if (s->ops != NULL)
		(void)fprintf(out, "add element inet sluice %s {\n", s->prog->sets[0].name);
	for (uint32_t i = 0; s->ops != NULL && i < s->n; i++)
		(void)fprintf(out, "%s . %s timeout 1h,\n", ip_addr_print(&s->ops[i].client, client),
			      ip_addr_print(&s->ops[i].lease.addr, addr));
	if (s->ops != NULL)
		(void)fprintf(out, "}\n");
	if (fclose(out) != 0)
		die(path, NULL);
}

static _Noreturn void run_nft(char *const *argv)
{
	(void)execvp("nft", argv);
	die("nft", NULL);
}

/* What the kernel holds for its own use, in megabytes: elements are slab objects. */
static double kernel_mb(void)
{
	FILE *in = fopen("/proc/meminfo", "re");
	char line[128];
	double kb = 0;

	while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
		if (strncmp(line, "SUnreclaim:", 11) == 0)
			kb = strtod(line + 11, NULL);
	}
	if (in == NULL || fclose(in) != 0)
		die("/proc/meminfo", NULL);
	return kb / 1024;
}

static double child_cpu_s(const struct rusage *u)
{
	return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
	       (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

/* In a process of its own, either load_ours() or nft with @argv. */
static struct measured measure(struct subject *s, char *const *argv)
{
	double before_mb = kernel_mb(), wall = now_us();
	struct measured m = { 0 };
	struct rusage usage;
	pid_t pid = fork();
	int status;

	if (pid == 0 && argv != NULL)
		run_nft(argv);
	if (pid == 0)
		load_ours(s);
	if (pid == -1 || wait4(pid, &status, 0, &usage) != pid || status != 0)
		die("loading", NULL);
	m.wall_s = (now_us() - wall) / 1e6;
	m.cpu_s = child_cpu_s(&usage);
	m.peak_kb = usage.ru_maxrss;
	m.kernel_mb = kernel_mb() - before_mb;
	return m;
}

static int double_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, uint32_t n)
{
	qsort(values, n, sizeof(*values), double_cmp);
	return values[n / 2];
}

/* Number @k of those that are not in the set. */
static void outside_elem(const struct subject *s, struct nft_elem *el, uint32_t k)
{
	*el = (struct nft_elem){ .number = 1 };
	net_at(el, s->nets6, 0xe0000000u + k * 256);
}

/* One more element, and out again, each a batch that the kernel has acknowledged. */
static void singles_ours(struct subject *s)
{
	static double in[SINGLES], out[SINGLES];
	struct nft_channel *ch = channel();
	const struct nft_set *set = &s->prog->sets[0];
	double from = now_us();
	uint32_t n;

	for (n = 0; n < SINGLES && now_us() - from < SINGLES_US; n++) {
		const uint32_t k = n;
		struct lease_op op = lease_nr(s->n + k * 8191);
		const struct nft_elem *list[1];
		struct nft_elem el;
		double t = now_us();
		struct nft_batch *b = batch(ch);

		outside_elem(s, &el, k);
		list[0] = &el;
		if (s->leases)
			nft_put_leases(b, &op, 1, 0, true);
		else
			nft_put_elems(b, set, list, 1);
		send_batch(ch, b);
		in[k] = now_us() - t;
		t = now_us();
		b = batch(ch);
		if (s->leases)
			nft_del_leases(b, &op, 1);
		else
			nft_del_elems(b, set, list, 1);
		send_batch(ch, b);
		out[k] = now_us() - t;
	}
	(void)printf("%.1f | %.1f |\n", median(in, n), median(out, n));
	(void)nft_channel_free(ch);
}

static void singles_nft(struct subject *s)
{
	double in[NFT_SINGLES], out[NFT_SINGLES];
	double from = now_us();
	char set[NFT_NAME_MAX];
	uint32_t n;

	(void)snprintf(set, sizeof(set), "%s", s->prog->sets[0].name);
	for (n = 0; n < NFT_SINGLES && now_us() - from < SINGLES_US; n++) {
		const uint32_t k = n;
		char text[96];
		char *argv[] = { "nft", "add element inet sluice", set, text, NULL };

		(void)snprintf(text, sizeof(text),
			       s->leases  ? "{ 100.64.0.1 . 224.0.%u.1 timeout 1h }"
			       : s->nets6 ? "{ 3fff:%u::/48 : 0:1 }"
					  : "{ 224.0.%u.0/24 : 0:1 }",
			       k);
		in[k] = measure(s, argv).wall_s * 1e6;
		(void)snprintf(text, sizeof(text),
			       s->leases  ? "{ 100.64.0.1 . 224.0.%u.1 }"
			       : s->nets6 ? "{ 3fff:%u::/48 : 0:1 }"
					  : "{ 224.0.%u.0/24 : 0:1 }",
			       k);
		argv[1] = "delete element inet sluice";
		out[k] = measure(s, argv).wall_s * 1e6;
	}
	(void)printf("%.0f | %.0f |\n", median(in, n), median(out, n));
}

int main(int argc, char **argv)
{
	char path[] = "/tmp/sluice-set-cost-XXXXXX";
	char *nft[] = { "nft", "-f", path, NULL };
	struct subject s = { 0 };
	struct measured m;
	bool ours;
	int fd;

	if (argc != 4) {
		(void)fprintf(stderr, "usage: set_cost nets|nets6|leases N ours|nft\n");
		return 2;
	}
	s.leases = strcmp(argv[1], "leases") == 0;
	s.nets6 = strcmp(argv[1], "nets6") == 0;
	s.n = (uint32_t)strtoul(argv[2], NULL, 10);
	ours = strcmp(argv[3], "ours") == 0;
	if (s.n == 0 || unshare(CLONE_NEWNET) == -1)
		die("namespace", NULL);
	if (ours) {
		m = measure(&s, NULL);
		subject_build(&s);
	} else {
		fd = mkstemp(path);
		if (fd == -1)
			die(path, NULL);
		text_write(&s, path);
		m = measure(&s, nft);
		(void)close(fd);
		(void)unlink(path);
	}
	(void)printf("%.2f | %.2f | %ld | %.0f | ", m.wall_s, m.cpu_s, m.peak_kb / 1024, m.kernel_mb);
	(void)fflush(stdout);
	if (ours)
		singles_ours(&s);
	else
		singles_nft(&s);
	return 0;
}
