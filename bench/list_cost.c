/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a compiled list file costs to open, to begin with, and to ask: `list_cost OUT NAMES ROUNDS`, a line of key=value
 * each round. NAMES: a name a line, each of them on the lists. The file's pages are in memory; opening reads all of it
 * once (filter/listfile.c).
 * Times are of the processor, so that other work on the machine does not count. */
#include "filter/listfile.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define NAMES_MAX 200000u

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char *what)
{
	fprintf(stderr, "list_cost: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t names_read(const char *path, struct dname *names)
{
	FILE *in = fopen(path, "re");
	char line[300];
	uint32_t n = 0;

	if (in == NULL)
		die(path);
	while (n < NAMES_MAX && fgets(line, sizeof(line), in) != NULL)
		n += dname_parse(line, strcspn(line, "\n"), &names[n]) == 0;
	fclose(in);
	return n;
}

/* Nanoseconds for each of @names; *ret_found of them were found. */
static double ask_all(const struct listfile *f, const struct dname *names, uint32_t n, uint32_t *ret_found)
{
	struct list_match m;
	double begin = now_us();

	*ret_found = 0;
	for (uint32_t i = 0; i < n; i++)
		*ret_found += listfile_match_name(f, UINT64_MAX, &names[i], &m);
	return (now_us() - begin) * 1e3 / n;
}

static void round_run(const void *data, size_t len, struct dname *names, uint32_t n)
{
	struct listfile *f = NULL;
	struct list_match m;
	struct err e = { 0 };
	double begin = now_us(), opened, first, hit_ns, miss_ns;
	uint32_t found, missed;

	if (listfile_open(data, len, &f, &e) < 0) {
		fprintf(stderr, "list_cost: %s\n", e.msg);
		exit(1);
	}
	opened = now_us();
	(void)listfile_match_name(f, UINT64_MAX, &names[0], &m);
	first = now_us();
	hit_ns = ask_all(f, names, n, &found);
	/* Names like these that are on no list. */
	for (uint32_t i = 0; i < n; i++)
		names[i].wire[1] ^= 1;
	miss_ns = ask_all(f, names, n, &missed);
	for (uint32_t i = 0; i < n; i++)
		names[i].wire[1] ^= 1;
	printf("open_ms=%.3f first_us=%.1f hit_ns=%.0f miss_ns=%.0f found=%u of=%u missed=%u rules=%llu bytes=%zu\n",
	       (opened - begin) / 1e3, first - opened, hit_ns, miss_ns, found, n, n - missed,
	       (unsigned long long)listfile_rules(f), len);
	listfile_free(f);
}

int main(int argc, char **argv)
{
	struct dname *names = calloc(NAMES_MAX, sizeof(*names));
	struct stat st;
	uint32_t n;
	void *data;
	int fd;

	if (argc != 4 || names == NULL) {
		fprintf(stderr, "usage: list_cost OUT NAMES ROUNDS\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		die(argv[1]);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		die(argv[1]);
	n = names_read(argv[2], names);
	for (unsigned long rounds = strtoul(argv[3], NULL, 10); n > 0 && rounds > 0; rounds--)
		round_run(data, (size_t)st.st_size, names, n);
	free(names);
	return 0;
}
