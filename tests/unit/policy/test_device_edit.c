/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One device's state in the text of devices.hujson: what changes, and that nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/device_edit.h"

struct world {
	struct arena *mem;
	struct diag_list *diags;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->mem = arena_new(0);
	w->diags = arena_alloc(w->mem, sizeof(*w->diags));
	assert_non_null(w->diags);
	diag_init(w->diags, w->mem);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	(void)arena_free(w->mem);
	free(w);
	return 0;
}

static struct source *source_of(struct world *w, const char *text)
{
	struct source *src = source_new(w->mem, "devices.hujson", text, strlen(text));

	assert_non_null(src);
	return src;
}

/* The edited text, which must be a device list in which that device has that state. */
static struct device_edit edit(struct world *w, const char *text, const char *device, enum device_state to)
{
	struct device_edit ret, again;

	assert_int_equal(device_edit_state(w->mem, source_of(w, text), device, to, w->diags, &ret), 0);
	assert_int_equal(device_edit_state(w->mem, source_of(w, ret.text), device, to, w->diags, &again), 0);
	assert_int_equal(again.was, to);
	assert_int_equal(ret.len, strlen(ret.text));
	return ret;
}

#define DEVICES(a)                                                                                                     \
	"// who is who\n{\"devices\": [\n\t" a                                                                         \
	",\n\t{\"name\": \"b\", \"addresses\": [\"100.64.0.2\"], \"tags\": [\"tag:t\"]},\n]}\n"

static void a_state_is_put_in_behind_the_name(void **state)
{
	struct device_edit e = edit(*state,
				    DEVICES("{\"name\": \"a\" /* ana's */, \"addresses\": [\"100.64.0.1\"], \"user\": "
					    "\"a@x\" /* , \"state\": 1 */}"),
				    "a", DEVICE_QUARANTINED);

	assert_string_equal(e.text, DEVICES("{\"name\": \"a\", \"state\": \"quarantined\" /* ana's */, \"addresses\": "
					    "[\"100.64.0.1\"], \"user\": \"a@x\" /* , \"state\": 1 */}"));
	assert_string_equal(e.name, "a");
	assert_int_equal(e.was, DEVICE_ACTIVE);
}

static void a_state_that_is_there_is_replaced(void **state)
{
	struct device_edit e = edit(*state,
				    DEVICES("{\"name\": \"a\", \"State\": \"active\" /* since May */, \"addresses\": "
					    "[\"100.64.0.1\"], \"user\": \"a@x\"}"),
				    "a", DEVICE_QUARANTINED);

	assert_string_equal(e.text, DEVICES("{\"name\": \"a\", \"State\": \"quarantined\" /* since May */, "
					    "\"addresses\": [\"100.64.0.1\"], \"user\": \"a@x\"}"));
	assert_int_equal(edit(*state, e.text, "a", DEVICE_ACTIVE).was, DEVICE_QUARANTINED);
}

static void members_with_lines_of_their_own_get_one_for_the_state(void **state)
{
	struct device_edit e = edit(*state,
				    DEVICES("{\n\t\t\"name\": \"a\", // ana's\n\t\t\"addresses\": "
					    "[\"100.64.0.1\"],\n\t\t\"user\": \"a@x\",\n\t}"),
				    "a", DEVICE_QUARANTINED);

	assert_string_equal(e.text,
			    DEVICES("{\n\t\t\"name\": \"a\",\n\t\t\"state\": \"quarantined\", // "
				    "ana's\n\t\t\"addresses\": [\"100.64.0.1\"],\n\t\t\"user\": \"a@x\",\n\t}"));
}

static void a_name_that_comes_last_and_one_that_is_split_over_lines(void **state)
{
	(void)edit(*state, DEVICES("{\"addresses\": [\"100.64.0.1\"], \"user\": \"a@x\", \"name\": \"a\"}"), "a",
		   DEVICE_QUARANTINED);
	(void)edit(*state, DEVICES("{\"addresses\": [\"100.64.0.1\"], \"user\": \"a@x\",\n\"name\":\n//x\n\"a\",\n}"),
		   "a", DEVICE_QUARANTINED);
}

static void a_device_is_called_by_its_name_or_an_address(void **state)
{
	static const char text[] =
		DEVICES("{\"name\": \"Ana\", \"addresses\": [\"100.64.0.1\", \"fd00::1\"], \"user\": \"a@x\"}");
	struct world *w = *state;
	struct device_edit e;

	assert_string_equal(edit(w, text, "ana", DEVICE_QUARANTINED).name, "Ana");
	assert_string_equal(edit(w, text, "fd00:0::1", DEVICE_QUARANTINED).name, "Ana");
	assert_string_equal(edit(w, text, "100.64.0.2", DEVICE_QUARANTINED).name, "b");
	assert_int_equal(device_edit_state(w->mem, source_of(w, text), "an", DEVICE_QUARANTINED, w->diags, &e),
			 -ENOENT);
	assert_int_equal(device_edit_state(w->mem, source_of(w, text), "100.64.0.9", DEVICE_ACTIVE, w->diags, &e),
			 -ENOENT);
	assert_int_equal(w->diags->n_errors, 0);
}

static void a_file_with_errors_is_left_alone(void **state)
{
	struct world *w = *state;
	struct device_edit e;

	assert_int_equal(device_edit_state(w->mem, source_of(w, "{\"devices\": [{\"name\": \"a\"}]}"), "a",
					   DEVICE_QUARANTINED, w->diags, &e),
			 -EINVAL);
	assert_true(w->diags->n_errors != 0);
	assert_null(e.text);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_state_is_put_in_behind_the_name),
		IN_WORLD(a_state_that_is_there_is_replaced),
		IN_WORLD(members_with_lines_of_their_own_get_one_for_the_state),
		IN_WORLD(a_name_that_comes_last_and_one_that_is_split_over_lines),
		IN_WORLD(a_device_is_called_by_its_name_or_an_address),
		IN_WORLD(a_file_with_errors_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
