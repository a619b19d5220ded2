/* The trivial service, and the limit program: what starting a thousand of it costs when nothing
 * is done but that. No libc, so that neither is slower than it must be. x86_64 Linux.
 *
 *   limit FILE                 the service: append one stamp to FILE, then pause for ever
 *   limit FILE N               fork and execute the service N times, then pause
 *   limit FILE N CGROUP        the same, each in a cgroup of its own: CGROUP/0, CGROUP/1, ...
 *
 * A stamp is the time of the process's first instruction: 8 bytes, microseconds, CLOCK_MONOTONIC.
 *
 *   cc -Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-pie -no-pie limit.c -o limit
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>

typedef unsigned long u64;

static long sys(long n, long a, long b, long c, long d)
{
	long r;
	register long r10 __asm__("r10") = d;
	__asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return r;
}

static void serve(const char *file)
{
	long now[2];
	sys(SYS_clock_gettime, 1, (long)now, 0, 0);
	u64 stamp = (u64)now[0] * 1000000 + (u64)now[1] / 1000;
	long fd = sys(SYS_open, (long)file, O_WRONLY | O_APPEND | O_CLOEXEC, 0, 0);
	sys(SYS_write, fd, (long)&stamp, 8, 0);
	sys(SYS_close, fd, 0, 0, 0);
	for (;;)
		sys(SYS_pause, 0, 0, 0, 0);
}

/* Appends `n` in decimal, and a NUL. */
static char *decimal(char *end, u64 n)
{
	char digits[20];
	int i = 0;
	do
		digits[i++] = '0' + n % 10;
	while (n /= 10);
	while (i)
		*end++ = digits[--i];
	*end = 0;
	return end;
}

/* fork, into `cgroup` if there is one: the flag spares the child a write. */
static long fork_into(const char *cgroup)
{
	struct clone_args args;
	for (u64 i = 0; i < sizeof args / 8; i++)
		((u64 *)&args)[i] = 0;
	args.exit_signal = 17;
	long fd = -1;
	if (cgroup) {
		sys(SYS_mkdir, (long)cgroup, 0755, 0, 0);
		fd = sys(SYS_open, (long)cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0);
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (u64)fd;
	}
	long pid = sys(SYS_clone3, (long)&args, sizeof args, 0, 0);
	if (pid && cgroup)
		sys(SYS_close, fd, 0, 0, 0);
	return pid;
}

__attribute__((used)) static void start(long *stack)
{
	long argc = stack[0];
	char **argv = (char **)(stack + 1);
	if (argc < 3)
		serve(argv[1]);
	u64 count = 0;
	for (char *c = argv[2]; *c; c++)
		count = count * 10 + (u64)(*c - '0');
	char path[4096], *end = path;
	if (argc > 3) {
		for (char *c = argv[3]; *c; c++)
			*end++ = *c;
		*end++ = '/';
	}
	char *child[] = { argv[0], argv[1], 0 }, *none[] = { 0 };
	for (u64 i = 0; i < count; i++) {
		decimal(end, i);
		if (fork_into(argc > 3 ? path : 0) == 0) {
			sys(SYS_execve, (long)"/proc/self/exe", (long)child, (long)none, 0);
			sys(SYS_exit, 111, 0, 0, 0);
		}
	}
	for (;;)
		sys(SYS_pause, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\txor %ebp,%ebp\n\tmov %rsp,%rdi\n\tand $-16,%rsp\n\tcall start\n");
