/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A thread with short slices keeps its policy and priority, and does not hand the slices' length to others. */
#include "base/base.h"
#include "base/slice.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* struct sched_attr, first version: see base/slice.c. */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

struct seen {
	struct attr before, after;
	bool ok;
};

static bool attr_get(struct attr *ret)
{
	*ret = (struct attr){ .size = sizeof(*ret) };
	return syscall(SYS_sched_getattr, 0, ret, sizeof(*ret), 0) == 0;
}

static void *thread(void *arg)
{
	struct seen *s = arg;

	s->ok = setpriority(PRIO_PROCESS, (id_t)gettid(), 7) == 0 && attr_get(&s->before);
	slice_short();
	s->ok = s->ok && attr_get(&s->after);
	return NULL;
}

static void slices_are_short_and_the_rest_is_as_it_was(void **state)
{
	struct seen s = { 0 };
	struct attr before, after;
	pthread_t id;

	assert_true(attr_get(&before));
	assert_int_equal(pthread_create(&id, NULL, thread, &s), 0);
	assert_int_equal(pthread_join(id, NULL), 0);
	assert_true(s.ok);
	assert_int_equal(s.after.policy, SCHED_OTHER);
	assert_int_equal(s.after.nice, 7);
	/* Before Linux 6.12 this class has no slice to tell of. */
	if (s.before.runtime == 0)
		assert_int_equal(s.after.runtime, 0);
	else
		assert_in_range(s.after.runtime, 1, s.before.runtime - 1);
	assert_true(attr_get(&after));
	assert_memory_equal(&before, &after, sizeof(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(slices_are_short_and_the_rest_is_as_it_was) };

	return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
