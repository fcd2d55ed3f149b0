-- nvim --headless --clean -u neovim.lua FILE
-- Opens FILE, waits for findings, repairs the first one by its quick fix, asks for bodies. Each step is a line in $REPORT.
vim.o.swapfile = false
local push = os.getenv('PUSH') == '1'

local function report(row)
  local out = assert(io.open(os.getenv('REPORT'), 'a'))
  out:write(vim.json.encode(row), '\n')
  out:close()
end

local function findings(buffer)
  local rows = {}
  for _, each in ipairs(vim.diagnostic.get(buffer)) do
    local line = vim.api.nvim_buf_get_lines(buffer, each.lnum, each.lnum + 1, false)[1] or ''
    table.insert(rows, {line = each.lnum, column = each.col, text = line:sub(each.col + 1, each.end_col), code = each.code, severity = each.severity})
  end
  return rows
end

local capabilities = vim.lsp.protocol.make_client_capabilities()
if push then capabilities.textDocument.diagnostic = nil end
if os.getenv('INLINE') == '1' then capabilities.textDocument.inlineCompletion = {dynamicRegistration = false} end
vim.lsp.config('codehunch', {
  cmd = {os.getenv('CODEHUNCH'), 'serve', '--stdio'},
  filetypes = {'python'},
  root_dir = vim.fn.getcwd(),
  capabilities = capabilities,
  settings = {codehunch = {generationSeconds = 60}},
})
vim.lsp.enable('codehunch')

local function request(buffer, method, extra)
  local client = vim.lsp.get_clients({name = 'codehunch'})[1]
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  for key, value in pairs(extra or {}) do params[key] = value end
  local answer = client:request_sync(method, params, 60000, buffer)
  return answer and answer.result or vim.NIL
end

local function run()
  local buffer = vim.api.nvim_get_current_buf()
  vim.wait(40000, function() return #vim.diagnostic.get(buffer) > 0 end, 50)
  report({findings = findings(buffer)})
  local first = vim.diagnostic.get(buffer)[1]
  if not first then return vim.cmd('cq!') end
  vim.api.nvim_win_set_cursor(0, {first.lnum + 1, first.col})
  report({hover = request(buffer, 'textDocument/hover')})
  -- The other quick fixes silence the rule.
  local function repairs(action) return not action.title:find('^Ignore') end
  vim.lsp.buf.code_action({apply = true, filter = repairs, context = {only = {'quickfix'}, diagnostics = {}}})
  vim.wait(20000, function() return vim.bo[buffer].modified end, 50)
  report({repaired = vim.api.nvim_buf_get_lines(buffer, 0, -1, false)})
  vim.wait(40000, function() return #vim.diagnostic.get(buffer) == 0 end, 50)
  report({after = findings(buffer)})
  for _, name in ipairs({'described', 'commented'}) do
    vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.split(os.getenv(name:upper()), '\n'))
    local last = vim.api.nvim_buf_line_count(buffer)
    vim.api.nvim_win_set_cursor(0, {last, 999})
    vim.cmd('startinsert!')
    vim.wait(300)
    local row = {}
    row[name] = os.getenv('INLINE') == '1'
      and request(buffer, 'textDocument/inlineCompletion', {context = {triggerKind = 1}, position = {line = last - 1, character = 4}})
      or request(buffer, 'textDocument/completion', {context = {triggerKind = 1}, position = {line = last - 1, character = 4}})
    report(row)
  end
  vim.cmd('qa!')
end

vim.api.nvim_create_autocmd('VimEnter', {callback = function()
  vim.schedule(function()
    local fine, problem = pcall(run)
    if not fine then io.stderr:write(problem, '\n') vim.cmd('cq!') end
  end)
end})
