import torch

left = torch.arange(6, dtype=torch.float32).reshape(2, 3)
product = (left @ left.T).tolist()
assert product == [[5.0, 14.0], [14.0, 50.0]], product
tensor = torch.tensor([2.0], requires_grad=True)
(tensor**3).backward()
assert tensor.grad.item() == 12.0
assert torch.backends.cudnn.version() is not None
print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())
