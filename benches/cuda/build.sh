#!/usr/bin/env bash
# benches/cuda/build.sh [arguments for cargo...]        (make cuda)
#
# Builds elenchus with its feature `cuda` on an x86-64 Linux machine that has neither a GPU, nor an NVIDIA driver, nor a
# CUDA toolkit. The compiler comes from the Python package index (105 MB). Safe to run again: finished steps are skipped.
# docs/cuda.md says how to run the result.
#
# Needs: cargo, gcc and g++ (12 was used), python3 with pip or the venv module, ar, strip.
#
# Settings (environment, all optional):
#   FEATURES          cargo features to switch on                       (cuda)
#   LINK              lazy  = the program starts without any CUDA library; each one is opened at its first call (default)
#                     plain = ordinary dynamic linking, as candle does it
#   CUDA_COMPUTE_CAP  90 = H100 and H200; 80 = A100; 89 = RTX 40 …      (90)
#   CUDA_BUILD_CACHE  where the toolkit is put        (${XDG_CACHE_HOME:-~/.cache}/elenchus/cuda)
#   CARGO_BUILD_JOBS  parallel jobs, also for nvcc                      (number of cores)
#   CARGO_TARGET_DIR  where cargo builds                                (target/cuda)
#   OUT_BIN_DIR       where the stripped programs go                    (TARGET_DIR/dist-$LINK)
#   NICE              nice level                                        (10)
# With `--env` as the only argument it prints the environment of the toolkit, for eval.
set -euo pipefail

print_env=0
if [ "${1:-}" = --env ]; then print_env=1; shift; fi
crate=$(cd "$(dirname "$0")/../.." && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$crate/target/cuda}
features=${FEATURES:-cuda}
link=${LINK:-lazy}
case $link in lazy|plain) ;; *) echo "LINK must be lazy or plain" >&2; exit 64;; esac
export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90}
cache=${CUDA_BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/elenchus/cuda}
export CARGO_BUILD_JOBS=${CARGO_BUILD_JOBS:-$(nproc)}
export PIP_ROOT_USER_ACTION=ignore
export CUDAFORGE_THREADS=$CARGO_BUILD_JOBS
nice_level=${NICE:-10}
say() { echo "[cuda] $*" >&2; }
for t in cargo gcc g++ python3 ar strip; do
  command -v $t >/dev/null || { say "missing tool: $t"; exit 1; }
done

# ---------------------------------------------------------------- 1. CUDA compiler from pip
# 13.0, not newer: PTX made by nvcc 13.1+ is refused by driver 580 (it knows PTX ISA 9.0 at most).
COMPILER="nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88
  nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85"
# only for LINK=plain: something with the right sonames and symbols to link against (570 MB of wheels)
LIBS="nvidia-cublas==13.0.2.14 nvidia-curand==10.4.0.35 nvidia-cuda-nvrtc==13.0.88"

pkgs=$COMPILER
[ "$link" = plain ] && pkgs="$COMPILER $LIBS"
tag=$(echo $pkgs | cksum | cut -d' ' -f1)
home=$cache/cuda-13.0-$link-$tag
if [ ! -e "$home/.done" ]; then
  say "installing the CUDA 13.0 compiler ($link) into the cache"
  mkdir -p "$cache"
  rm -rf "$home" "$home.tmp"
  if python3 -m pip --version >/dev/null 2>&1; then pip="python3 -m pip"; else
    python3 -m venv "$cache/venv"; pip="$cache/venv/bin/python -m pip"
  fi
  # one pip call: a second `--target` call would not merge into the existing nvidia/ folder
  nice -n "$nice_level" $pip install --quiet --disable-pip-version-check --no-deps --no-compile \
    --only-binary :all: --target "$home.tmp" $pkgs >&2
  mv "$home.tmp/nvidia/cu13" "$home"
  rm -rf "$home.tmp"
  mkdir -p "$home/lib/stubs"
  if [ "$link" = plain ]; then
    (cd "$home/lib"; for f in lib*.so.[0-9]*; do
       case $f in *.alt.*|*builtins*) ;; *) ln -sf "$f" "${f%%.so.*}.so";; esac; done)
  else
    # only archives in lib/, so that `-lcudart` takes the static CUDA runtime
    rm -f "$home"/lib/*.so*
    ln -sf libcudart_static.a "$home/lib/libcudart.a"
  fi
  ln -sfn lib "$home/lib64"
  "$home/bin/nvcc" --version | grep -q 'release 13.0' || { say "nvcc does not run"; exit 1; }
  touch "$home/.done"
fi
export CUDA_HOME=$home CUDA_PATH=$home PATH=$home/bin:$PATH
unset NVCC CUDA_ROOT CUDA_TOOLKIT_ROOT_DIR CUDNN_LIB || true

# ---------------------------------------------------------------- 2. what cudarc wants to link
# The symbol lists come from the very cudarc version that the crate's lock file names.
root=$(cd "$crate" && dirname "$(cargo locate-project --workspace --message-format plain)")
locked=; [ -e "$root/Cargo.lock" ] && locked=--locked
cudarc=$(cd "$crate" && cargo metadata --format-version 1 $locked --features "$features" \
    --filter-platform x86_64-unknown-linux-gnu | python3 -c '
import json, os, sys
p = [p for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"]
if len(p) != 1: sys.exit("expected one cudarc in the dependency tree, found %d" % len(p))
print(os.path.dirname(p[0]["manifest_path"]), p[0]["version"])')
cudarc_ver=${cudarc##* } cudarc_src=${cudarc% *}
symdir=$home/sym-cudarc-$cudarc_ver
if [ ! -e "$symdir/.done" ]; then
  mkdir -p "$symdir"
  for m in driver nvrtc curand cublas cublaslt; do
    grep -oE '^[[:space:]]+fn (cu|nvrtc)[A-Za-z0-9_]+' "$cudarc_src/src/$m/sys/mod.rs" |
      awk '{print $2}' | sort -u > "$symdir/$m"
    [ "$(wc -l < "$symdir/$m")" -ge 10 ] || { say "no symbols found for $m in cudarc $cudarc_ver"; exit 1; }
  done
  touch "$symdir/.done"
fi

# A stand-in for the driver library: every call answers CUDA_ERROR_NO_DEVICE (100).
# For LINK=plain it is what the linker sees, and lets the binary start on a machine without driver.
make_driver_stub() { # OUT_FILE
  sed 's/.*/int &(void){return 100;}/' "$symdir/driver" > "$1.c"
  gcc -shared -fPIC -O1 -w -Wl,-soname,libcuda.so.1 -o "$1" "$1.c"
  rm -f "$1.c"
}

# lib$1.a: one trampoline per function of the library, which dlopens $2 at its first call and then
# jumps on with all argument registers and the stack as they were. If the library or the symbol is
# missing the function returns the status $3 (functions that return a string: a note).
make_lazy() { # NAME SONAME STATUS SYMBOL_FILE OUT_DIR [SONAME_TO_LOAD_FIRST]
  local lib=$1 soname=$2 status=$3 syms=$4 out=$5 pre=${6:-} tmp i
  tmp=$(mktemp -d)
  {
    cat <<C
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define SONAME "$soname"
#define PRELOAD "$pre"
static const char *const names[] = {
C
    sed 's/.*/  "&",/' "$syms"
    cat <<C
};
__attribute__((visibility("hidden"))) void *lazy_slots_$lib[sizeof names / sizeof *names];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void *handle;
static char why[512];

static void *open_one(const char *dir, size_t n, const char *so) {
  char path[4096];
  if (n == 0) return dlopen(so, RTLD_NOW | RTLD_GLOBAL);
  if (n + strlen(so) + 2 > sizeof path) return 0;
  memcpy(path, dir, n);
  path[n] = '/';
  strcpy(path + n + 1, so);
  return dlopen(path, RTLD_NOW | RTLD_GLOBAL);
}
/* 1: \$LAZY_CUDA_LIBDIR (colon list); 2: the loader's own search (LD_LIBRARY_PATH, ld.so.cache);
   3: the usual places of a system-wide CUDA toolkit */
static void *open_any(const char *so) {
  static const char fixed[] = "/usr/local/cuda/lib64:/usr/local/cuda-13.0/lib64:"
                              "/usr/local/cuda/targets/x86_64-linux/lib:/usr/local/nvidia/lib64";
  void *h;
  for (int pass = 0; pass < 3; pass++) {
    const char *p = pass == 0 ? getenv("LAZY_CUDA_LIBDIR") : fixed;
    if (pass == 1) {
      if ((h = open_one("", 0, so))) return h;
      const char *e = dlerror();
      snprintf(why, sizeof why, "%s", e ? e : "?");
      continue;
    }
    while (p && *p) {
      size_t n = strcspn(p, ":");
      if (n && (h = open_one(p, n, so))) return h;
      p += n + (p[n] == ':');
    }
  }
  return 0;
}
static void init(void) {
  if (*PRELOAD) open_any(PRELOAD);
  handle = open_any(SONAME);
  if (!handle) fprintf(stderr, "cuda: cannot load %s (%s)\n", SONAME, why);
}
static long missing_status(void) { return $status; }
static const char *missing_string(void) { return "<" SONAME " not loaded>"; }
static int ends(const char *s, const char *e) {
  size_t n = strlen(s), m = strlen(e);
  return n >= m && !strcmp(s + n - m, e);
}

__attribute__((visibility("hidden"))) void *lazy_resolve_$lib(long i) {
  pthread_once(&once, init);
  void *p = handle ? dlsym(handle, names[i]) : 0;
  if (!p) {
    if (handle) fprintf(stderr, "cuda: no symbol %s in %s\n", names[i], SONAME);
    /* nvrtcGetErrorString, cublas(Lt)GetStatusName/String return a string; the driver's cuGetError*
       return a status */
    int str = (ends(names[i], "String") || ends(names[i], "StatusName")) && strncmp(names[i], "cuGet", 5);
    p = str ? (void *)missing_string : (void *)missing_status;
  }
  __atomic_store_n(&lazy_slots_$lib[i], p, __ATOMIC_RELEASE);
  return p;
}
C
  } > "$tmp/r.c"
  {
    printf '\t.text\n\t.p2align 4\n\t.type lazy_common_%s,@function\nlazy_common_%s:\n' $lib $lib
    # on entry: index, return address; six integer registers, rax (varargs), r10 (keeps 16 alignment)
    for i in rdi rsi rdx rcx r8 r9 rax r10; do printf '\tpushq %%%s\n' $i; done
    printf '\tsubq $128, %%rsp\n'
    for i in 0 1 2 3 4 5 6 7; do printf '\tmovups %%xmm%d, %d(%%rsp)\n' $i $((16 * i)); done
    printf '\tmovq 192(%%rsp), %%rdi\n\tcall lazy_resolve_%s\n\tmovq %%rax, %%r11\n' $lib
    for i in 0 1 2 3 4 5 6 7; do printf '\tmovups %d(%%rsp), %%xmm%d\n' $((16 * i)) $i; done
    printf '\taddq $128, %%rsp\n'
    for i in r10 rax r9 r8 rcx rdx rsi rdi; do printf '\tpopq %%%s\n' $i; done
    printf '\taddq $8, %%rsp\n\tjmp *%%r11\n\t.size lazy_common_%s, .-lazy_common_%s\n' $lib $lib
    awk -v l="$lib" '{ printf "\t.section .text.%s,\"ax\",@progbits\n\t.globl %s\n\t.type %s,@function\n%s:\n", $1, $1, $1, $1
      printf "\tmovq lazy_slots_%s+%d(%%rip), %%r11\n\ttestq %%r11, %%r11\n\tje 1f\n\tjmp *%%r11\n", l, 8 * (NR - 1)
      printf "1:\tpushq $%d\n\tjmp lazy_common_%s\n\t.size %s, .-%s\n", NR - 1, l, $1, $1 }' "$syms"
    printf '\t.section .note.GNU-stack,"",@progbits\n'
  } > "$tmp/t.S"
  gcc -O2 -fPIC -Wall -c "$tmp/r.c" -o "$tmp/lazy_$lib.o"
  gcc -c "$tmp/t.S" -o "$tmp/lazy_${lib}_t.o"
  rm -f "$out/lib$lib.a"
  ar rcs "$out/lib$lib.a" "$tmp/lazy_${lib}_t.o" "$tmp/lazy_$lib.o"
  rm -rf "$tmp"
}

self=$(cksum < "$0" | cut -d' ' -f1)
if [ ! -e "$home/.link-$cudarc_ver-$self" ]; then
  if [ "$link" = plain ]; then
    make_driver_stub "$home/lib/stubs/libcuda.so"
    mkdir -p "$home/no-driver"
    ln -sf ../lib/stubs/libcuda.so "$home/no-driver/libcuda.so.1"
  else
    make_lazy cuda     libcuda.so.1       100 "$symdir/driver"   "$home/lib"
    make_lazy nvrtc    libnvrtc.so.13      11 "$symdir/nvrtc"    "$home/lib"
    make_lazy curand   libcurand.so.10    203 "$symdir/curand"   "$home/lib"
    make_lazy cublas   libcublas.so.13      1 "$symdir/cublas"   "$home/lib" libcublasLt.so.13
    make_lazy cublasLt libcublasLt.so.13    1 "$symdir/cublaslt" "$home/lib"
  fi
  touch "$home/.link-$cudarc_ver-$self"
fi

if [ $print_env = 1 ]; then
  for v in CUDA_HOME CUDA_PATH CUDA_COMPUTE_CAP CARGO_BUILD_JOBS CUDAFORGE_THREADS; do
    [ -n "${!v:-}" ] && printf 'export %s=%q\n' $v "${!v}"
  done
  printf 'export PATH=%q:$PATH\n' "$home/bin"
  exit 0
fi

# ---------------------------------------------------------------- 3. build, strip, look
say "cargo build --release --features $features  (link: $link, compute capability $CUDA_COMPUTE_CAP, $CARGO_BUILD_JOBS jobs)"
start=$(date +%s)
msgs=$(mktemp)
(cd "$crate" && nice -n "$nice_level" cargo build --release $locked --features "$features" \
   --message-format json-render-diagnostics "$@" > "$msgs")
say "cargo took $(( $(date +%s) - start )) s"
target=$(cd "$crate" && cargo metadata --format-version 1 --no-deps | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')
out=${OUT_BIN_DIR:-$target/dist-$link}
mkdir -p "$out"
python3 - "$msgs" <<'P' | while IFS= read -r exe; do
import json, sys
for l in open(sys.argv[1]):
    try: m = json.loads(l)
    except ValueError: continue
    if m.get("reason") == "compiler-artifact" and m.get("executable"): print(m["executable"])
P
  b=$out/$(basename "$exe")
  strip -o "$b" "$exe"
  say "$(basename "$b"): $(stat -c %s "$b") bytes stripped, $(gzip -9c "$b" | wc -c) gzipped"
  say "  needs: $(readelf -d "$b" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | tr '\n' ' ')"
  say "  newest symbols: $(objdump -T "$b" | grep -oE '(GLIBC|GLIBCXX|CXXABI|GCC)_[0-9.]+' | sort -uV |
      awk -F_ '{m[$1]=$0} END {for (k in m) printf "%s ", m[k]}')"
  echo "$b"
done
rm -f "$msgs"
