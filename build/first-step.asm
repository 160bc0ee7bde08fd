# The first step of a start, before Node.js: what src/system/execute-again.ts does in the first execution, in 3 ms instead of
# 40, because no JavaScript runs in between. It is the program's entry, so that only the loader was there before it.
#
# Closes inherited descriptors, sets no_new_privs, switches off core dumps, drops inheritable capabilities and, as root, most
# of the bounding set, and executes the program again with the mark PREPARED: as root with allowed variables only. Where
# anything of that is not possible, Node.js starts at once, and execute-again.ts does it.
#
# AT&T syntax, x86-64 Linux. rbx: argv, rbp: envp, r12: argc, r13: file of the program, r9: uid, r14 and r15: for Node.js.
# Defined in first-step.ts: EXECUTED_AGAIN_LENGTH, CAPABILITIES, NODE, and the strings prepared, allowed, constants, settings.

ACCESS = 21                 # system calls
EXECVE = 59
CAPGET = 125
CAPSET = 126
PRCTL = 157
SETRLIMIT = 160
CLOSE_RANGE = 436
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
RLIMIT_CORE = 4
CAPABILITY_VERSION_3 = 0x20080522
MOST_CAPABILITIES = 64
AT_NULL = 0                 # entries of the auxiliary vector
AT_UID = 11
AT_SECURE = 23
AT_EXECFN = 31
EQUALS = 61                 # a character

    mov %rsp, %r15
    mov %rdx, %r14
    mov (%r15), %r12
    lea 8(%r15), %rbx
    lea 8(%rbx, %r12, 8), %rbp

# Executed again, by this step or by execute-again.ts: the first argument has one of the marks, which begin alike.
    cmp $1, %r12
    jb node
    je read_auxiliary_vector
    mov 8(%rbx), %rsi
    lea prepared(%rip), %rdi
    mov $EXECUTED_AGAIN_LENGTH, %ecx
    repe cmpsb
    je node

# It follows the environment. A setuid or setgid program, or one with file capabilities (AT_SECURE), is for execute-again.ts.
read_auxiliary_vector:
    mov %rbp, %rdi
skip_environment:
    add $8, %rdi
    cmpq $0, -8(%rdi)
    jne skip_environment
    xor %r13d, %r13d
    mov $-1, %r9
next_entry:
    mov (%rdi), %rax
    mov 8(%rdi), %rcx
    add $16, %rdi
    cmp $AT_UID, %rax
    cmove %rcx, %r9
    cmp $AT_EXECFN, %rax
    cmove %rcx, %r13
    cmp $AT_SECURE, %rax
    jne is_last_entry
    test %rcx, %rcx
    jnz node
is_last_entry:
    cmp $AT_NULL, %rax
    jne next_entry
    test %r13, %r13
    jz node

# Without /proc it cannot be verified that privileges are dropped: execute-again.ts says so.
    mov $ACCESS, %eax
    lea proc(%rip), %rdi
    xor %esi, %esi
    syscall
    test %rax, %rax
    jnz node

    mov $CLOSE_RANGE, %eax
    mov $3, %edi
    mov $-1, %esi
    xor %edx, %edx
    syscall
    test %rax, %rax
    jnz node

    mov $PRCTL, %eax
    mov $PR_SET_NO_NEW_PRIVS, %edi
    mov $1, %esi
    xor %edx, %edx
    xor %r10d, %r10d
    xor %r8d, %r8d
    syscall
    test %rax, %rax
    jnz node

# Both limits are 0.
    push $0
    push $0
    mov $SETRLIMIT, %eax
    mov $RLIMIT_CORE, %edi
    mov %rsp, %rsi
    syscall
    test %rax, %rax
    jnz node

# A header of 8 bytes, then effective, permitted and inheritable sets, twice 32 bits of each.
    sub $32, %rsp
    movl $CAPABILITY_VERSION_3, (%rsp)
    movl $0, 4(%rsp)
    mov $CAPGET, %eax
    mov %rsp, %rdi
    lea 8(%rsp), %rsi
    syscall
    test %rax, %rax
    jnz node
    movl $0, 16(%rsp)
    movl $0, 28(%rsp)
    mov $CAPSET, %eax
    syscall
    test %rax, %rax
    jnz node

    push $0
    test %r9, %r9
    jnz push_environment

# A container may not allow that; then the bounding set stays as it is.
    xor %esi, %esi
next_capability:
    mov $CAPABILITIES, %eax
    bt %rsi, %rax
    jc keep_capability
    mov $PRCTL, %eax
    mov $PR_CAPBSET_DROP, %edi
    syscall
keep_capability:
    inc %esi
    cmp $MOST_CAPABILITIES, %esi
    jb next_capability

# Variables that begin with one of the allowed names and =; execute-again.ts judges the values.
    mov %rbp, %r8
next_variable:
    mov (%r8), %rdx
    add $8, %r8
    test %rdx, %rdx
    jz push_constants
    lea allowed(%rip), %rdi
next_name:
    cmpb $0, (%rdi)
    je next_variable
    mov %rdx, %rsi
compare:
    mov (%rdi), %al
    test %al, %al
    jz push_variable
    cmp %al, (%rsi)
    jne skip_name
    inc %rdi
    inc %rsi
    jmp compare
skip_name:
    inc %rdi
    cmpb $0, -1(%rdi)
    jne skip_name
    jmp next_name
push_variable:
    push %rdx
    jmp next_variable
push_constants:
    lea constants(%rip), %rdx
next_constant:
    cmpb $0, (%rdx)
    je push_arguments
    push %rdx
skip_constant:
    inc %rdx
    cmpb $0, -1(%rdx)
    jne skip_constant
    jmp next_constant

# Another user than root has no bounding set to lose, and keeps the environment; added are the settings that it does not have.
push_environment:
    mov %rbp, %r8
next_kept:
    mov (%r8), %rdx
    add $8, %r8
    test %rdx, %rdx
    jz push_settings
    push %rdx
    jmp next_kept
push_settings:
    lea settings(%rip), %rdx
next_setting:
    cmpb $0, (%rdx)
    je push_arguments
    mov %rbp, %r8
next_present:
    mov (%r8), %rdi
    add $8, %r8
    test %rdi, %rdi
    jz push_setting
    mov %rdx, %rsi
compare_name:
    mov (%rsi), %al
    cmp %al, (%rdi)
    jne next_present
    inc %rsi
    inc %rdi
    cmp $EQUALS, %al
    jne compare_name
    jmp skip_setting
push_setting:
    push %rdx
skip_setting:
    inc %rdx
    cmpb $0, -1(%rdx)
    jne skip_setting
    jmp next_setting

# The environment begins with what was pushed last.
push_arguments:
    mov %rsp, %rdx
    push $0
    mov %r12, %rcx
next_argument:
    dec %rcx
    jz push_mark
    push (%rbx, %rcx, 8)
    jmp next_argument
push_mark:
    lea prepared(%rip), %rax
    push %rax
    push (%rbx)
    mov $EXECVE, %eax
    mov %r13, %rdi
    mov %rsp, %rsi
    syscall

# The entry of Node.js, with the stack and the register that the loader gave.
node:
    mov %r15, %rsp
    mov %r14, %rdx
    mov $NODE, %eax
    jmp *%rax

proc:
    .ascii "/proc/self/exe\0"
