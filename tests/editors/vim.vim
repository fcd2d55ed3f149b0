" vim -N -es -u vim.vim FILE -c 'call Run()'
" Opens FILE with ALE, waits for findings, repairs the first by hand and waits until it is gone.
set nocompatible noswapfile hidden
filetype plugin on
let g:ale_linters_explicit = 1
let g:ale_linters = {'python': ['codehunch']}
let g:ale_lint_on_enter = 0
let g:ale_echo_cursor = 0
packadd ale
call ale#linter#Define('python', {'name': 'codehunch', 'lsp': 'stdio', 'language': 'python',
  \ 'executable': $CODEHUNCH, 'command': '%e serve --stdio', 'project_root': {buffer -> getcwd()}})

func! Report(row) abort
  call writefile([json_encode(a:row)], $REPORT, 'a')
endfunc

func! Findings() abort
  return map(copy(ale#engine#GetLoclist(bufnr(''))), {_, each -> {'line': each.lnum - 1, 'column': each.col - 1,
    \ 'text': strpart(getline(each.lnum), each.col - 1, each.end_col - each.col + 1), 'code': get(each, 'code', '')}})
endfunc

func! WaitFor(some) abort
  let l:times = 0
  while empty(ale#engine#GetLoclist(bufnr(''))) == a:some && l:times < 1200
    sleep 50m
    let l:times += 1
  endwhile
endfunc

func! Run() abort
  call ale#Queue(0)
  call WaitFor(1)
  let l:found = Findings()
  call Report({'findings': l:found})
  if empty(l:found) | cquit! | endif
  let l:line = getline(l:found[0].line + 1)
  let l:end = l:found[0].column + len(l:found[0].text)
  call setline(l:found[0].line + 1, strpart(l:line, 0, l:found[0].column) . $RIGHT . strpart(l:line, l:end))
  call ale#Queue(0)
  call WaitFor(0)
  call Report({'after': Findings(), 'mended': getline(1, '$')})
  qall!
endfunc
